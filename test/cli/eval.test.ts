import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { corpus, queries } from './data.ts';
import { documentOf, expectFailure, LLAMA, useCli, type Ran } from './harness.ts';

const cli = useCli();
const evaluate = (...args: string[]): Promise<Ran> => cli.run(['eval', '--data', cli.path('data'), '--threads', '2', ...args]);
const writeData = async (files: Readonly<Record<string, string | Uint8Array>> = { 'corpus.jsonl': corpus, 'queries.jsonl': queries }): Promise<void> => {
  for (const [name, content] of Object.entries(files)) await cli.write(`data/${name}`, content);
};

interface Evaluation {
  readonly systems: ReadonlyArray<{ system: string; metrics: Record<string, number> }>;
  readonly models: ReadonlyArray<{ name: string; fingerprint: string; layers: number }>;
  readonly data: object;
}

describe('l3prune eval', () => {
  it('measures BM25, every model, and their hybrids on the same questions', async () => {
    await writeData();
    const { systems, models, data } = documentOf<Evaluation>(await evaluate('--model', LLAMA, '--json'));
    expect(systems[0]!.system).toBe('BM25');
    expect(systems.map(({ system }) => system).filter((system) => system.startsWith('model, 6 layers')).length).toBeGreaterThan(0);
    for (const { metrics } of systems) {
      expect(Object.keys(metrics)).toEqual(expect.arrayContaining(['mrrAt10', 'ndcgAt10', 'recallAt1', 'recallAt10', 'recallAt100']));
      for (const value of Object.values(metrics)) expect(value).toBeGreaterThanOrEqual(0);
      expect(metrics['recallAt10']).toBeGreaterThan(0.5);
    }
    expect(models).toEqual([{ name: 'model', fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) as string, layers: 6 }]);
    expect(data).toMatchObject({ documents: 5, queries: 3, rejected: 0 });
  });

  it('measures a checkpoint beside its base at the same depth', async () => {
    await writeData();
    await cli.run(['prune', '--model', LLAMA, '--layers', '4', '--out', 'cut']);
    const { models } = documentOf<Evaluation>(await evaluate('--model', 'cut', '--base', LLAMA, '--json'));
    expect(models.map(({ name, layers }) => [name, layers])).toEqual([['cut', 4], ['model', 4]]);
  });

  it('takes several models, each once', async () => {
    await writeData();
    const { models } = documentOf<Evaluation>(await evaluate('--model', LLAMA, LLAMA, '--layer', '2', '--json'));
    expect(models.map(({ layers }) => layers)).toEqual([2]);
  });

  it('prints a table for a person, with the fingerprints of data and model', async () => {
    await writeData();
    const { stdout, code } = await evaluate('--model', LLAMA);
    expect(code).toBe(0);
    expect(stdout).toMatch(/MRR@10 +nDCG@10 +recall@1 +@10 +@100/);
    expect(stdout).toMatch(/^BM25 +\d\.\d{3}/m);
    expect(stdout).toMatch(/queries: 3, documents: 5, data [0-9a-f]{16}\nmodel model, fingerprint [0-9a-f]{64}\n$/);
  });

  it('names the rows that it leaves out', async () => {
    await writeData({ 'corpus.jsonl.gz': gzipSync(`${corpus}{"id":"stack","code":"again"}\n`), 'queries.jsonl': `${queries}{"id":"q4","query":"x","relevant":["nowhere"]}\n` });
    const ran = await evaluate('--model', LLAMA, '--json');
    expect(documentOf<Evaluation>(ran).data).toMatchObject({ documents: 5, queries: 3, rejected: 2 });
    expect(ran.stderr).toMatch(/2 rows were left out:\n.*corpus\.jsonl\.gz:6: its id is that of line 1\n.*queries\.jsonl:4: relevant names "nowhere"/);
  });

  it.each<readonly [string, Readonly<Record<string, string>>, string, RegExp]>([
    ['no corpus', { 'queries.jsonl': queries }, 'NOT_FOUND', /holds no corpus\.jsonl/],
    ['no queries', { 'corpus.jsonl': corpus }, 'NOT_FOUND', /holds no queries\.jsonl/],
    ['an empty corpus', { 'corpus.jsonl': '', 'queries.jsonl': queries }, 'BAD_DATA', /corpus\.jsonl is empty/],
    ['no usable query', { 'corpus.jsonl': corpus, 'queries.jsonl': '{"id":"q"}\n' }, 'BAD_DATA', /queries\.jsonl line 1: query is missing/],
  ])('refuses a folder with %s', async (_, files, code, sentence) => {
    await writeData(files);
    expectFailure(await evaluate('--model', LLAMA), code, sentence);
  });
});
