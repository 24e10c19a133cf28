import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { corpus, queries } from './data.ts';
import { documentOf, expectFailure, LLAMA, useCli, type Ran } from './harness.ts';

const cli = useCli();
const evaluate = (...args: string[]): Promise<Ran> => cli.run(['eval', '--data', cli.path('data'), '--threads', '2', ...args]);
type Files = Readonly<Record<string, string | Uint8Array>>;
const writeData = async (files: Files = { 'corpus.jsonl': corpus, 'queries.jsonl': queries }): Promise<void> => {
  for (const [name, content] of Object.entries(files)) await cli.write(`data/${name}`, content);
};
const lines = (...rows: readonly unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

/** A small task of every kind but retrieval, by the folder it lies in. */
const pairs = [
  ['the cat sat on the mat', 'a cat was sitting on a mat', 1],
  ['stars shine at night', 'the bread is in the oven', 0],
  ['he opened the window', 'he opened a window', 1],
  ['the train was late', 'two and two is four', 0],
] as const;
const [fruit, tools] = [['red apples', 'ripe pears', 'sweet plums', 'sour cherries'], ['a hammer', 'a steel saw', 'the drill', 'long nails']] as const;
const labelled = (from: number, to: number): string =>
  lines(...fruit.slice(from, to).map((text) => ({ text, label: 'fruit' })), ...tools.slice(from, to).map((text) => ({ text, label: 'tool' })));
const tasks: Files = {
  'alike/test.jsonl': lines(...pairs.map(([sentence1, sentence2, label], i) => ({ sentence1, sentence2, score: label * 3 + i }))),
  'same/test.jsonl.gz': gzipSync(lines({ sent1: pairs.map(([a]) => a), sent2: pairs.map(([, b]) => b), labels: pairs.map(([, , label]) => label) })),
  'kinds/train.jsonl': labelled(0, 3),
  'kinds/test.jsonl': labelled(3, 4),
  'groups/test.jsonl': lines({ sentences: [...fruit, ...tools], labels: [...fruit.map(() => 0), ...tools.map(() => 1)] }),
  'nearest/test.jsonl': lines({ query: 'fruit', positive: [fruit[0]], negative: [tools[0], tools[1]] }, { query: ['tools', 'for wood'], positive: [tools[1]], negative: [fruit[1]] }),
};

interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}
interface Evaluation {
  readonly tasks: ReadonlyArray<{
    readonly name: string;
    readonly kind: string;
    readonly metric: string;
    readonly instruction: string | null;
    readonly data: object;
    readonly systems: ReadonlyArray<{
      readonly system: string;
      readonly variant: string;
      readonly metrics: Readonly<Record<string, number>>;
      readonly againstBm25?: Readonly<Record<string, Interval>>;
      readonly againstBase?: { readonly system: string; readonly differences: Readonly<Record<string, Interval>> };
    }>;
  }>;
  readonly averages: ReadonlyArray<{ readonly system: string; readonly score: number; readonly tasks: number }>;
  readonly models: ReadonlyArray<{ readonly name: string; readonly fingerprint: string; readonly layers: number }>;
}

describe('l3prune eval on a corpus', () => {
  it('measures BM25 and every model on the same questions, raw and calibrated, alone and fused', async () => {
    await writeData();
    const { tasks, models } = documentOf<Evaluation>(await evaluate('--model', LLAMA, '--json'));
    expect(tasks).toHaveLength(1);
    const { systems, ...task } = tasks[0]!;
    expect(task).toMatchObject({ name: 'data', kind: 'retrieval', metric: 'ndcgAt10', instruction: null, data: { documents: 5, queries: 3, rejected: 0 } });
    expect(systems.map(({ variant }) => variant)).toEqual(['bm25', 'raw', 'calibrated', 'raw+bm25', 'calibrated+bm25']);
    for (const { metrics } of systems) {
      expect(Object.keys(metrics)).toEqual(['mrrAt10', 'ndcgAt10', 'recallAt1', 'recallAt10', 'recallAt100']);
      for (const value of Object.values(metrics)) expect(value).toBeGreaterThanOrEqual(0);
      expect(metrics['recallAt10']).toBeGreaterThan(0.5);
    }
    expect(models).toEqual([{ name: 'model', fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) as string, layers: 6 }]);
  });

  it('says by how much each is better than BM25, with the interval', async () => {
    await writeData();
    const { systems } = documentOf<Evaluation>(await evaluate('--model', LLAMA, '--json')).tasks[0]!;
    const [bm25, ...others] = systems;
    expect(bm25!.againstBm25).toBeUndefined();
    for (const { againstBm25, metrics } of others) {
      for (const metric of ['mrrAt10', 'ndcgAt10']) {
        const { mean, low, high } = againstBm25![metric]!;
        expect(mean).toBeCloseTo(metrics[metric]! - bm25!.metrics[metric]!, 12);
        expect(low).toBeLessThanOrEqual(mean);
        expect(high).toBeGreaterThanOrEqual(mean);
      }
    }
  });

  it('measures a checkpoint beside its base at the same depth, and says what lies between them', async () => {
    await writeData();
    await cli.run(['prune', '--model', LLAMA, '--layers', '4', '--out', 'cut']);
    const { tasks, models } = documentOf<Evaluation>(await evaluate('--model', 'cut', '--base', LLAMA, '--json'));
    expect(models.map(({ name, layers }) => [name, layers])).toEqual([['cut', 4], ['model', 4]]);
    const raw = tasks[0]!.systems.find(({ system }) => system === 'cut, 4 layers')!;
    const same = { mean: 0, low: 0, high: 0 };
    expect(raw.againstBase).toEqual({ system: 'model, 4 layers', differences: { mrrAt10: same, ndcgAt10: same } });
    const ran = await evaluate('--model', 'cut', '--base', LLAMA);
    expect(ran.stdout).toContain('cut, 4 layers adds +0.000 to model, 4 layers in MRR@10, 95 % interval [+0.000, +0.000] (not told apart); ');
  });

  it('takes several models, each once, and cuts them while it reads them', async () => {
    await writeData();
    const { models } = documentOf<Evaluation>(await evaluate('--model', LLAMA, LLAMA, '--layers', '2', '--json'));
    expect(models.map(({ layers }) => layers)).toEqual([2]);
  });

  it('prints a table for a person, what the fusion adds, and the fingerprints of data and model', async () => {
    await writeData();
    const { stdout, code } = await evaluate('--model', LLAMA);
    expect(code).toBe(0);
    expect(stdout).toMatch(/MRR@10 +nDCG@10 +recall@1 +@10 +@100/);
    expect(stdout).toMatch(/^BM25 +\d\.\d{3}/m);
    expect(stdout).toMatch(/^model, 6 layers, calibrated \+ BM25 adds [+−]\d\.\d{3} to BM25 alone in MRR@10, 95 % interval \[[+−]\d\.\d{3}, [+−]\d\.\d{3}\].*; .* in nDCG@10, 95 % interval /m);
    expect(stdout).toMatch(/data data: 5 documents, 3 queries, the checkpoint's own instruction, fingerprint [0-9a-f]{16}\nmodel model, 6 of its layers, fingerprint [0-9a-f]{64}\n$/);
  });

  it("reads BEIR's layout", async () => {
    await writeData({
      'corpus.jsonl': lines({ _id: 'a', title: 'Stacks', text: 'push an item' }, { _id: 'b', text: 'hash a key' }),
      'queries.jsonl': lines({ _id: 'q', text: 'put an item on the stack' }, { _id: 'train', text: 'asked elsewhere' }),
      'qrels/test.tsv': 'query-id\tcorpus-id\tscore\nq\ta\t2\n',
    });
    const { tasks } = documentOf<Evaluation>(await evaluate('--model', LLAMA, '--json'));
    expect(tasks[0]).toMatchObject({ kind: 'retrieval', data: { documents: 2, queries: 1, rejected: 0 } });
    expect(tasks[0]!.systems[0]).toMatchObject({ system: 'BM25', metrics: { ndcgAt10: 1 } });
  });

  it('names the rows that it leaves out', async () => {
    await writeData({ 'corpus.jsonl.gz': gzipSync(`${corpus}{"id":"stack","code":"again"}\n`), 'queries.jsonl': `${queries}{"id":"q4","query":"x","relevant":["nowhere"]}\n` });
    const ran = await evaluate('--model', LLAMA, '--json');
    expect(documentOf<Evaluation>(ran).tasks[0]!.data).toMatchObject({ documents: 5, queries: 3, rejected: 2 });
    expect(ran.stderr).toMatch(/2 rows were left out:\n.*corpus\.jsonl\.gz:6: its id is that of line 1\n.*queries\.jsonl:4: relevant names "nowhere"/);
  });

  it.each<readonly [string, Files, string, RegExp]>([
    ['no corpus', { 'queries.jsonl': queries }, 'NOT_FOUND', /holds no corpus\.jsonl/],
    ['no queries', { 'corpus.jsonl': corpus }, 'NOT_FOUND', /holds no queries\.jsonl/],
    ['an empty corpus', { 'corpus.jsonl': '', 'queries.jsonl': queries }, 'BAD_DATA', /corpus\.jsonl is empty/],
    ['no usable query', { 'corpus.jsonl': corpus, 'queries.jsonl': '{"id":"q"}\n' }, 'BAD_DATA', /queries\.jsonl line 1: query is missing/],
    ['nothing in it', { 'readme.md': 'x' }, 'BAD_DATA', /holds neither a \.jsonl file nor a folder with one/],
  ])('refuses a folder with %s', async (_, files, code, sentence) => {
    await writeData(files);
    expectFailure(await evaluate('--model', LLAMA), code, sentence);
  });
});

describe("l3prune eval on MTEB's tasks", () => {
  it('recognises the kind of every task in a folder of tasks', async () => {
    await writeData(tasks);
    const evaluation = documentOf<Evaluation>(await evaluate('--model', LLAMA, '--json'));
    expect(evaluation.tasks.map(({ name, kind, metric }) => [name, kind, metric])).toEqual([
      ['alike', 'sts', 'spearman'],
      ['groups', 'clustering', 'vMeasure'],
      ['kinds', 'classification', 'accuracy'],
      ['nearest', 'reranking', 'map'],
      ['same', 'pair-classification', 'averagePrecision'],
    ]);
    expect(evaluation.tasks.map(({ data }) => data)).toMatchObject([{ pairs: 4 }, { sets: 1, sentences: 8 }, { train: 6, test: 2, labels: 2 }, { queries: 2, candidates: 5 }, { pairs: 4 }]);
    for (const { metric, systems } of evaluation.tasks) for (const { metrics } of systems) expect(metrics[metric]).toBeGreaterThanOrEqual(-1);
  });

  it('averages a model over the tasks, what calibrating cannot change counting for both', async () => {
    await writeData(tasks);
    const { tasks: measured, averages } = documentOf<Evaluation>(await evaluate('--model', LLAMA, '--json'));
    expect(measured.find(({ kind }) => kind === 'clustering')!.systems.map(({ variant }) => variant)).toEqual(['raw']);
    expect(averages.map(({ system, tasks }) => [system, tasks])).toEqual([['model, 6 layers', 5], ['model, 6 layers, calibrated', 5]]);
    const of = (variant: string): number => measured.reduce((sum, { metric, systems }) => sum + (systems.find((system) => system.variant === variant) ?? systems[0]!).metrics[metric]!, 0) / 5;
    expect(averages.map(({ score }) => score)).toEqual([expect.closeTo(of('raw'), 12), expect.closeTo(of('calibrated'), 12)]);
  });

  it('prints one table of all of them', async () => {
    await writeData(tasks);
    const { stdout } = await evaluate('--model', LLAMA);
    expect(stdout).toMatch(/^alike \(sts\) +Spearman\n  model, 6 layers +−?-?\d\.\d{3}\n  model, 6 layers, calibrated +/m);
    expect(stdout).toMatch(/^mean of 5 tasks\n  model, 6 layers +\d\.\d{3}\n/m);
  });

  it('puts an instruction before the sentences: the one that is given, the task’s own, or the benchmark’s', async () => {
    await writeData({ 'STSBenchmark/test.jsonl': tasks['alike/test.jsonl']!, 'own/test.jsonl': tasks['alike/test.jsonl']!, 'own/task.json': '{"name":"mine","instruction":"Compare:"}' });
    const instructions = async (...args: string[]): Promise<unknown[]> => documentOf<Evaluation>(await evaluate('--model', LLAMA, '--json', ...args)).tasks.map(({ name, instruction }) => [name, instruction]);
    expect(await instructions()).toEqual([['STSBenchmark', 'Retrieve semantically similar text:'], ['mine', 'Compare:']]);
    expect(await instructions('--instruction', '')).toEqual([['STSBenchmark', ''], ['mine', '']]);
  });

  it('changes what it measures by the instruction', async () => {
    await writeData({ 'test.jsonl': tasks['alike/test.jsonl']! });
    const cosines = async (instruction: string): Promise<unknown> => documentOf<Evaluation>(await evaluate('--model', LLAMA, '--json', '--instruction', instruction)).tasks[0]!.systems[0]!.metrics;
    expect(await cosines('Find the sentence that says the opposite of this one:')).not.toEqual(await cosines(''));
  });

  it('takes a file, and the kind that it is told', async () => {
    const rows = lines(...pairs.map(([sentence1, sentence2, label], i) => ({ sentence1, sentence2, label, score: label + i })));
    const file = await cli.write('data/both.jsonl', rows);
    const run = (...args: string[]): Promise<Ran> => cli.run(['eval', '--model', LLAMA, '--data', file, '--json', ...args]);
    expectFailure(await run(), 'BAD_DATA', /could be sts or pair-classification: say which it is by --task/);
    expect(documentOf<Evaluation>(await run('--task', 'sts')).tasks[0]).toMatchObject({ name: 'both', kind: 'sts' });
  });

  it('holds a checkpoint beside its base where a score is a mean', async () => {
    await writeData({ 'test.jsonl': tasks['nearest/test.jsonl']! });
    await cli.run(['prune', '--model', LLAMA, '--layers', '3', '--out', 'cut']);
    const { systems } = documentOf<Evaluation>(await evaluate('--model', 'cut', '--base', LLAMA, '--json')).tasks[0]!;
    expect(systems[0]).toMatchObject({ system: 'cut, 3 layers', againstBase: { system: 'model, 3 layers', differences: { map: { mean: 0, low: 0, high: 0 } } } });
  });
});
