import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { classification } from '../../src/eval/tasks/classification.ts';
import { clustering } from '../../src/eval/tasks/clustering.ts';
import { pairClassification } from '../../src/eval/tasks/pair-classification.ts';
import { readTasks, type TaskOptions } from '../../src/eval/tasks/read.ts';
import { reranking } from '../../src/eval/tasks/reranking.ts';
import { TaskReading } from '../../src/eval/tasks/rows.ts';
import { sts } from '../../src/eval/tasks/sts.ts';
import type { Measured, Task, TaskFiles, VectorKind } from '../../src/eval/tasks/task.ts';
import { averagePrecision } from '../../src/eval/statistics/average-precision.ts';
import { ended, scores, vectorsOf } from './reference/scores.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'l3prune-tasks-'));
});
afterEach(() => rm(folder, { recursive: true }));

const lines = (rows: readonly unknown[]): string => rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row))).join('\n');
const put = async (name: string, rows: readonly unknown[]): Promise<string> => {
  const file = path.join(folder, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, name.endsWith('.gz') ? gzipSync(lines(rows)) : lines(rows));
  return file;
};
const seed = 42;
const readAll = (options: Partial<TaskOptions> = {}, at = folder): Promise<Task[]> => ended(readTasks(at, { kind: undefined, instruction: undefined, seed, signal: undefined, ...options }));
const rejectedOf = ({ rejected }: Pick<Task, 'rejected'>): string[] => rejected.map(({ file, line, reason }) => `${path.basename(file)}:${line} ${reason}`);

/** Reads rows as a kind, and measures it with the vector of each text. */
async function measured<Data>(kind: VectorKind<Data>, rows: readonly unknown[], vectorOf: (text: string) => readonly number[], more: Partial<TaskFiles> = {}): Promise<Measured> {
  const files = { test: await put('measured.jsonl', rows), train: undefined, samplesPerLabel: undefined, ...more };
  const data = await kind.read(files, new TaskReading(seed, undefined));
  const { query, document } = kind.texts(data);
  const vectors = (texts: readonly string[]): Float32Array[] => texts.map((text) => Float32Array.from(vectorOf(text)));
  return ended(kind.measure(data, { query: vectors(query), document: vectors(document) }, { seed, signal: undefined }));
}
/** A vector of an angle in degrees: cosines are what one reads off. */
const angle = (degrees: number): readonly number[] => [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
const byAngle = (text: string): readonly number[] => angle(Number(text));

describe('semantic textual similarity', () => {
  const rows = (scored: ReadonlyArray<readonly [string, string, number]>): unknown[] => scored.map(([sentence1, sentence2, score]) => ({ sentence1, sentence2, score }));

  test('correlates the cosines with the scores', async () => {
    expect((await measured(sts, rows([['0', '10', 5], ['0', '40', 3], ['0', '90', 0.5]]), byAngle)).metrics['spearman']).toBeCloseTo(1, 12);
    expect((await measured(sts, rows([['0', '10', 0], ['0', '40', 3], ['0', '90', 9]]), byAngle)).metrics['spearman']).toBeCloseTo(-1, 12);
  });

  test('is one sentence where there is no order', async () => {
    await expect(measured(sts, rows([['0', '10', 1], ['0', '40', 1]]), byAngle)).rejects.toMatchObject({ code: 'BAD_DATA', message: expect.stringContaining('gives all of its pairs one score') });
    await expect(measured(sts, rows([['0', '10', 1]]), byAngle)).rejects.toMatchObject({ code: 'BAD_DATA' });
    await expect(measured(sts, rows([['0', '0', 1], ['90', '90', 2]]), byAngle)).rejects.toMatchObject({ code: 'BAD_DATA', message: expect.stringContaining('the same cosine') });
  });

  test('refuses vectors that are not finite', async () => {
    await expect(measured(sts, rows([['0', 'x', 1], ['0', '40', 2]]), byAngle)).rejects.toMatchObject({ code: 'NOT_FINITE' });
  });
});

describe('pair classification', () => {
  const flat = [['0', '10', 1], ['0', '30', 0], ['0', '50', 1], ['0', '80', 0]] as const;
  const expected = averagePrecision([true, false, true, false], [4, 3, 2, 1]);

  test('finds the pairs that belong together by their cosines, a row each', async () => {
    const found = await measured(pairClassification, flat.map(([sentence1, sentence2, label]) => ({ sentence1, sentence2, label })), byAngle);
    expect(found.metrics).toEqual({ averagePrecision: expected });
  });

  test("takes mteb's one row of lists, in either spelling", async () => {
    const lists = { sent1: flat.map(([a]) => a), sent2: flat.map(([, b]) => b), labels: flat.map(([, , label]) => label) };
    expect((await measured(pairClassification, [lists], byAngle)).metrics).toEqual({ averagePrecision: expected });
    expect((await measured(pairClassification, [{ sentence1: lists.sent1, sentence2: lists.sent2, label: lists.labels }], byAngle)).metrics).toEqual({ averagePrecision: expected });
  });

  test('refuses pairs of one label', async () => {
    const rows = [{ sentence1: '0', sentence2: '10', label: 1 }, { sentence1: '0', sentence2: '20', label: true }];
    await expect(measured(pairClassification, rows, byAngle)).rejects.toMatchObject({ code: 'BAD_DATA', message: expect.stringContaining('holds no pair of the label 0') });
  });
});

describe('classification', () => {
  const reference = scores.classification;
  const labelled = reference.labels.map((label, i) => ({ text: `text ${i}`, label }));
  const vectors = vectorsOf(reference.vectors);
  const vectorOf = (text: string): readonly number[] => [...vectors[Number(text.slice(5))]!];

  test("is mteb's own accuracy", async () => {
    const train = await put('train.jsonl', labelled.slice(0, reference.train));
    const { metrics, each, notes } = await measured(classification, labelled.slice(reference.train), vectorOf, { train });
    expect(metrics['accuracy']).toBeCloseTo(reference.accuracy, 12);
    expect(each['accuracy']!.reduce((sum, x) => sum + x, 0) / each['accuracy']!.length).toBeCloseTo(reference.accuracy, 12);
    expect(notes).toEqual([]);
  });

  test('says which test texts no training could have got right', async () => {
    const train = await put('train.jsonl', labelled.slice(0, reference.train));
    const { notes } = await measured(classification, [...labelled.slice(reference.train), { text: 'text 0', label: 'new' }], vectorOf, { train });
    expect(notes).toEqual(['1 of 41 test texts have a label that no training text has, and count as wrong.']);
  });

  test('encodes no training text that is not drawn', async () => {
    const train = await put('train.jsonl', Array.from({ length: 500 }, (_, i) => ({ text: `text ${i}`, label: i % 2 })));
    const read = async (samplesPerLabel: number): Promise<number> => {
      const data = await classification.read({ test: await put('test.jsonl', [labelled[0], labelled[1]]), train, samplesPerLabel }, new TaskReading(seed, undefined));
      return classification.texts(data).query.length - 2;
    };
    expect(await read(1)).toBeLessThanOrEqual(20);
    expect(await read(1000)).toBe(500);
  });

  test('is one sentence where there is nothing to learn', async () => {
    const refuses = async (train: readonly unknown[], message: RegExp): Promise<void> =>
      expect(measured(classification, [{ text: 'text 0', label: 'a' }], vectorOf, { train: await put('train.jsonl', train) })).rejects.toMatchObject({ code: 'BAD_DATA', message: expect.stringMatching(message) });
    await refuses([{ text: 'text 1', label: 'a' }], /names the one label "a"/);
    await refuses([{ text: 'text 1', label: 'b' }, { text: 'text 2', label: 'c' }], /names no label of/);
    await refuses([], /train\.jsonl is empty/);
    await expect(measured(classification, [{ text: 'text 0', label: 'a' }], vectorOf)).rejects.toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('has no train.jsonl') });
  });
});

describe('clustering', () => {
  const set = { sentences: ['1', '2', '3', '91', '92', '93'], labels: ['a', 'a', 'a', 'b', 'b', 'b'] };

  test('averages the V-measure of every set', async () => {
    const mixed = { sentences: set.sentences, labels: ['a', 'b', 'a', 'b', 'a', 'b'] };
    const { metrics, each } = await measured(clustering, [set, mixed], byAngle);
    expect(each['vMeasure']![0]).toBeCloseTo(1, 12);
    expect(each['vMeasure']![1]).toBeLessThan(0.1);
    expect(metrics['vMeasure']).toBeCloseTo((each['vMeasure']![0]! + each['vMeasure']![1]!) / 2, 12);
  });

  test('takes as many labels as sentences, and sentences that are all the same', async () => {
    expect((await measured(clustering, [{ sentences: ['1', '50', '90'], labels: [1, 2, 3] }], byAngle)).metrics['vMeasure']).toBeCloseTo(1, 12);
    expect((await measured(clustering, [{ sentences: ['1', '1', '1'], labels: [1, 2, 3] }], byAngle)).metrics['vMeasure']).toBe(0);
  });
});

describe('reranking', () => {
  test('averages the precision over the queries, the nearest wording of each counting', async () => {
    const rows = [
      { query: '0', positive: ['10', '50'], negative: ['30', '80'] },
      { query: ['0', '90'], positive: '85', negative: ['20'] },
    ];
    const { metrics, each } = await measured(reranking, rows, byAngle);
    const first = averagePrecision([true, true, false, false], [4, 2, 3, 1]);
    expect(each['map']).toEqual([first, 1]);
    expect(metrics).toEqual({ map: (first + 1) / 2, mrrAt10: 1 });
  });

  test('gives a tie to what is irrelevant', async () => {
    const { metrics } = await measured(reranking, [{ query: '0', positive: ['20'], negative: ['20', '90'] }], byAngle);
    expect(metrics).toEqual({ map: 0.5, mrrAt10: 0.5 });
  });
});

describe('readTasks', () => {
  const pair = { sentence1: 'a', sentence2: 'b' };
  const similar = [{ ...pair, score: 1 }, { ...pair, score: 2 }];

  test('takes the test file, or the only one, plain or compressed', async () => {
    await put('with-others/validation.jsonl', [{ strange: 1 }]);
    await put('with-others/train.jsonl', [{ strange: 1 }]);
    await put('with-others/test.jsonl.gz', similar);
    await put('alone/pairs.jsonl', similar);
    expect((await readAll()).map(({ name, kind, size }) => [name, kind, size])).toEqual([['alone', 'sts', { pairs: 2 }], ['with-others', 'sts', { pairs: 2 }]]);
  });

  test('names what it leaves out, entry by entry', async () => {
    await put('sts/test.jsonl', [...similar, { ...pair }, { ...pair, score: '3' }, '{"sentence1":"a","sentence2":"b","score":NaN}', { sentence1: ' ', sentence2: 'b', score: 1 }, { query: 'q' }]);
    await put('lists/test.jsonl', [{ sent1: ['a', 'b', '', 'c'], sent2: ['x', 'y', 'z', 4], labels: [1, 0, 1, 1] }, { sent1: ['a'], sent2: [], labels: [1] }, { ...pair, label: 2 }]);
    await put('sets/test.jsonl', [{ sentences: ['a', 'b', ''], labels: [1, 2, 2] }, { sentences: ['a'], labels: [1, 2] }, { sentences: ['a', 'b'], labels: [1, 1] }]);
    await put('reranking/test.jsonl', [{ query: 'q', positive: ['p', ''], negative: 'n' }, { query: 'q', positive: [], negative: ['n'] }]);
    const [lists, rerank, sets, scored] = await readAll();
    expect(rejectedOf(scored!)).toEqual([
      'test.jsonl:3 score is not a finite number',
      'test.jsonl:4 score is not a finite number',
      'test.jsonl:5 is not valid JSON',
      'test.jsonl:6 sentence1 is empty',
      'test.jsonl:7 sentence1 is missing',
    ]);
    expect(rejectedOf(lists!)).toEqual([
      'test.jsonl:1 sentence1[2] is empty',
      'test.jsonl:1 sentence2[3] is not a text',
      'test.jsonl:2 sentence1, sentence2 and label are not lists of one length',
      'test.jsonl:3 label is neither 0 nor 1',
    ]);
    expect(lists!.size).toEqual({ pairs: 2 });
    expect(rejectedOf(sets!)).toEqual([
      'test.jsonl:1 sentences[2] is empty',
      'test.jsonl:2 sentences and labels are not of one length',
      'test.jsonl:3 its sentences have fewer than two labels, so that there is nothing to tell apart',
    ]);
    expect(rejectedOf(rerank!)).toEqual(['test.jsonl:1 positive[1] is empty', 'test.jsonl:2 its positives hold no text that can be used']);
  });

  test('has a fingerprint of what it read, however that is spelt', async () => {
    const of = async (rows: readonly unknown[]): Promise<string> => {
      await put('test.jsonl', rows);
      return (await readAll())[0]!.fingerprint;
    };
    const fingerprint = await of(similar);
    expect(await of(['{"score":1.0, "sentence2":"b", "sentence1":"a"}', similar[1]])).toBe(fingerprint);
    expect(await of(similar.toReversed())).not.toBe(fingerprint);
  });

  test("lets a task name itself, its kind, its instruction and its training texts a label; the benchmark's own count otherwise", async () => {
    await put('a/test.jsonl', [{ ...pair, score: 1, label: 1 }, { ...pair, score: 2, label: 0 }]);
    await put('a/task.json', ['{"name":"SICK-R","task":"sts"}']);
    await put('EmotionClassification/train.jsonl', Array.from({ length: 1000 }, (_, i) => ({ text: `t${i}`, label: i % 2 })));
    await put('EmotionClassification/test.jsonl', [{ text: 't', label: 1 }]);
    const [emotion, sick] = await readAll();
    expect(sick).toMatchObject({ name: 'SICK-R', kind: 'sts', instruction: 'Retrieve semantically similar text:' });
    expect(emotion!.instruction).toMatch(/^Classify the emotion/);
    // Ten experiments with 8 of each of the two labels reach 160 texts at most, with 16 of each more.
    expect(emotion!.size['train']).toBeGreaterThan(160);
    expect((await readAll({ instruction: '' })).map(({ instruction }) => instruction)).toEqual(['', '']);
  });

  test.each<readonly [string, Readonly<Record<string, readonly unknown[]>>, string, RegExp]>([
    ['an empty file', { 'test.jsonl': [] }, 'BAD_DATA', /test\.jsonl holds no JSON object/],
    ['a file of something else', { 'test.jsonl': ['hello', '[1]'] }, 'BAD_DATA', /test\.jsonl holds no JSON object/],
    ['fields of no task', { 'test.jsonl': [{ a: 1, b: 2 }] }, 'BAD_DATA', /begins with a row of the fields a, b, by which no kind of task is recognised/],
    ['fields of two tasks', { 'test.jsonl': [{ ...pair, score: 1, label: 1 }] }, 'BAD_DATA', /could be sts or pair-classification/],
    ['several files and no test', { 'a.jsonl': [], 'b.jsonl': [] }, 'BAD_DATA', /holds a\.jsonl, b\.jsonl, of which none is test\.jsonl/],
    ['settings of another kind', { 'test.jsonl': similar, 'task.json': ['{"colour":"red"}'] }, 'BAD_DATA', /task\.json is not what a task can say of itself: .*colour/],
    ['a kind that there is not', { 'test.jsonl': similar, 'task.json': ['{"task":"summary"}'] }, 'BAD_DATA', /task\.json is not what a task can say of itself: task: /],
    ['settings that are not JSON', { 'test.jsonl': similar, 'task.json': ['{'] }, 'BAD_DATA', /task\.json cannot be read: it is not valid JSON/],
    ['a folder without data among the tasks', { 'one/test.jsonl': similar, 'two/notes.txt': ['x'] }, 'BAD_DATA', /two holds no \.jsonl or \.jsonl\.gz file/],
    ['BEIR without judgements', { 'corpus.jsonl': [{ _id: 'a', text: 'x' }], 'queries.jsonl': [{ _id: 'q', text: 'x' }] }, 'NOT_FOUND', /qrels holds no test\.tsv/],
  ])('is one sentence for %s', async (_, files, code, sentence) => {
    for (const [name, rows] of Object.entries(files)) await put(name, rows);
    await expect(readAll()).rejects.toMatchObject({ code, message: expect.stringMatching(sentence) });
  });

  test('is one sentence where there is nothing', async () => {
    await expect(readAll()).rejects.toMatchObject({ code: 'BAD_DATA', message: expect.stringContaining('holds neither a .jsonl file nor a folder with one') });
    await expect(readAll({}, path.join(folder, 'none'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('stops where it is told to', async () => {
    await put('test.jsonl', similar);
    await expect(readAll({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});
