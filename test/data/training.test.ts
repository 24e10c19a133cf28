import { createHash } from 'node:crypto';
import { appendFile, mkdir, mkdtemp, readdir, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readTriplets } from '../../src/data/read.ts';
import { openTrainingData, type TrainingData, type TrainingDataOptions } from '../../src/data/training.ts';
import type { Triplet } from '../../src/data/triplet.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'l3prune-training-'));
});
afterAll(() => rm(folder, { recursive: true }));

const put = async (name: string, content: string | Uint8Array): Promise<string> => {
  const file = path.join(folder, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, content);
  return file;
};
const row = (name: number | string): string => JSON.stringify({ query: `q${name}`, positive: `p${name}`, negative: `n${name}` });
const rows = (count: number, prefix = ''): string => Array.from({ length: count }, (_, i) => `${row(prefix + i)}\n`).join('');

const inOrder = (batchSize: number): TrainingDataOptions => ({ batchSize, seed: 1, order: 'file' });
const shuffled = (batchSize: number, seed = 1): TrainingDataOptions => ({ batchSize, seed, order: 'shuffled' });
const use = async <T>(location: string | string[], options: TrainingDataOptions, then: (data: TrainingData) => Promise<T> | T): Promise<T> => {
  const data = await openTrainingData(location, options);
  try {
    return await then(data);
  } finally {
    await data.close();
  }
};
const queries = (batch: readonly Triplet[]): string => batch.map(({ query }) => query).join(' ');
const epoch = async (data: TrainingData, number = 0): Promise<readonly (readonly Triplet[])[]> => {
  const batches = [];
  for (let i = 0; i < data.batchesPerEpoch; i++) batches.push(await data.batch(number * data.batchesPerEpoch + i));
  return batches;
};
const fails = async (location: string | string[], options: TrainingDataOptions, code: string, message: RegExp | string) => {
  await expect(openTrainingData(location, options)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
};

describe('a row to train on', () => {
  const texts = (fields: object) => JSON.stringify({ query: 'q', positive: 'p', ...fields });

  test('may have no negative, one, or several, beside rows with other numbers of them', async () => {
    const file = await put('mixed.jsonl', [texts({}), texts({ negative: 'a' }), texts({ negatives: ['a', 'b', 'c'] }), texts({ negative: [], negatives: ['d'] })].join('\n'));
    await use(file, inOrder(4), async (data) => {
      expect((await data.batch(0)).map(({ negatives }) => negatives)).toEqual([[], ['a'], ['a', 'b', 'c'], ['d']]);
    });
  });

  test('may say with null that it has no negative', async () => {
    const file = await put('null.jsonl', [texts({ negative: null }), texts({ query: 'r', negatives: null })].join('\n'));
    await use(file, inOrder(2), async (data) => {
      expect((await data.batch(0)).map(({ negatives }) => negatives)).toEqual([[], []]);
    });
  });

  test('is left out and named when it cannot be used', async () => {
    const file = await put('rejected.jsonl', `${row(1)}\n{"query":"q"}\n\n${row(2)}\n{"query":"q","positive":"p","negatives":["n",3]}\n`);
    await use(file, inOrder(2), (data) => {
      expect(data.rows).toBe(2);
      expect(data.rejected).toEqual([
        { file, line: 2, reason: 'positive is missing' },
        { file, line: 5, reason: 'negatives is not a text' },
      ]);
    });
  });

  test('is used once when another says the same, however that is written, and the others are counted and named', async () => {
    const file = await put('repeated.jsonl', `${row(1)}\n${row(2)}\n{"id":7, "negatives":["n1"], "positive":"p1", "query":"\\u00711"}\n${row(2)}\n`);
    await use(file, inOrder(2), async (data) => {
      expect(queries(await data.batch(0))).toBe('q1 q2');
      expect(data.rows).toBe(2);
      expect(data.datasets[0]).toMatchObject({ rows: 2, repeated: 2 });
      const reason = 'repeats an earlier row';
      expect(data.repeated).toEqual({ count: 2, first: [{ file, line: 3, reason }, { file, line: 4, reason }] });
      expect(data.rejected).toEqual([]);
    });
  });

  test('is another row when only its negative differs', async () => {
    const file = await put('negatives.jsonl', `${texts({ negative: 'a' })}\n${texts({ negative: 'b' })}\n${texts({})}`);
    await use(file, inOrder(3), (data) => expect(data.rows).toBe(3));
  });

  test('is read whole where it is longer than any buffer', async () => {
    const long = 'long '.repeat(1_000_000);
    const file = await put('long.jsonl', `${row(1)}\n${texts({ query: long })}\r\n${row(2)}`);
    const packed = await put('long.jsonl.gz', gzipSync(`${row(1)}\n${texts({ query: long })}\r\n${row(2)}`));
    for (const location of [file, packed])
      await use(location, inOrder(3), async (data) => expect((await data.batch(0)).map(({ query }) => query)).toEqual(['q1', long, 'q2']));
  });
});

describe('a data set', () => {
  const written = JSON.stringify({ query: 'q', positive: 'p', instruction: 'Mine' });
  const instructionsOf = async (name: string, options: Partial<TrainingDataOptions> = {}) =>
    use(await put(name, `${rows(3)}${written}\n`), { ...inOrder(4), ...options }, async (data) => (await data.batch(0)).map(({ instruction }) => instruction));

  const question = 'Given a question, retrieve Wikipedia passages that answer the question';
  const premise = 'Given a premise, retrieve a hypothesis that is entailed by the premise';
  const similar = 'Retrieve semantically similar text';

  test("of the paper has the paper's instruction by its file's name", async () => {
    expect(await instructionsOf('e5/nq.jsonl')).toEqual([question, question, question, 'Mine']);
    expect(await instructionsOf('e5/fever.jsonl')).toContain('Given a claim, retrieve documents that support or refute the claim');
  });
  test('with two instructions takes them in turn', async () =>
    expect(await instructionsOf('e5/allnli.jsonl')).toEqual([premise, similar, premise, 'Mine']));
  test('in halves has one of the two in each', async () => {
    expect(await instructionsOf('e5/allnli_split2.jsonl')).toEqual([similar, similar, similar, 'Mine']);
  });
  test('of another name has none', async () => {
    expect(await instructionsOf('code.jsonl')).toEqual([undefined, undefined, undefined, 'Mine']);
    expect(await instructionsOf('constructor.jsonl')).toEqual([undefined, undefined, undefined, 'Mine']);
  });
  test("takes an instruction that is asked for instead of the paper's", async () =>
    expect(await instructionsOf('e5/squad.jsonl', { instruction: 'Asked' })).toEqual(['Asked', 'Asked', 'Asked', 'Mine']));
  test('takes none when a blank one is asked for', async () =>
    expect(await instructionsOf('e5/squad.jsonl', { instruction: ' ' })).toEqual([undefined, undefined, undefined, 'Mine']));

  test('shares its batches with no other, and what fills none is counted', async () => {
    await put('several/b.jsonl', rows(11, 'b'));
    await put('several/a.jsonl.gz', gzipSync(rows(8, 'a')));
    await put('several/c.jsonl', rows(3, 'c'));
    await use(path.join(folder, 'several'), shuffled(4), async (data) => {
      expect(data.datasets.map(({ name, rows, batchesPerEpoch, leftOver }) => ({ name, rows, batchesPerEpoch, leftOver }))).toEqual([
        { name: 'a', rows: 8, batchesPerEpoch: 2, leftOver: 0 },
        { name: 'b', rows: 11, batchesPerEpoch: 2, leftOver: 3 },
        { name: 'c', rows: 3, batchesPerEpoch: 0, leftOver: 3 },
      ]);
      expect(data.batchesPerEpoch).toBe(4);
      const names = (await epoch(data)).map((batch) => new Set(batch.map(({ query }) => query.slice(0, 2))));
      expect(names.every((of) => of.size === 1)).toBe(true);
    });
  });

  test('comes in the order of the names, whichever file was written first', async () => {
    for (const name of ['z', 'M', 'a']) await put(`order/${name}.jsonl`, rows(2, name));
    await use(path.join(folder, 'order'), inOrder(2), (data) => expect(data.datasets.map(({ name }) => name)).toEqual(['M', 'a', 'z']));
  });

  test('that is named twice is used once', async () => {
    const file = await put('twice.jsonl', rows(4));
    await use([file, file], inOrder(2), (data) => {
      expect(data.rows).toBe(4);
      expect(data.datasets.map(({ rows, repeated }) => [rows, repeated])).toEqual([[4, 0], [0, 4]]);
    });
  });
});

describe('batches', () => {
  test('in file order are the rows of the file, cycled', async () => {
    await use(await put('cycle.jsonl', rows(5)), inOrder(2), async (data) => {
      const batches = await Promise.all([0, 1, 2, 3, 4, 5].map((step) => data.batch(step)));
      expect(batches.map(queries)).toEqual(['q0 q1', 'q2 q3', 'q4 q0', 'q1 q2', 'q3 q4', 'q0 q1']);
    });
  });

  test('are the same from a compressed file and in whatever order they are asked for', async () => {
    const options = shuffled(7, 3);
    const expected = await use(await put('plain.jsonl', rows(100)), options, async (data) => [...(await epoch(data)), ...(await epoch(data, 1))]);
    await use(await put('packed.jsonl.gz', gzipSync(rows(100))), options, async (data) => {
      for (let step = expected.length - 1; step >= 0; step -= 3) expect(await data.batch(step)).toEqual(expected[step]);
    });
  });

  test('are others with another seed and in the next epoch', async () => {
    const file = await put('seeds.jsonl', rows(64));
    const first = await use(file, shuffled(64, 1), async (data) => [queries(await data.batch(0)), queries(await data.batch(1))]);
    const second = await use(file, shuffled(64, 2), async (data) => [queries(await data.batch(0))]);
    expect(new Set([...first, ...second]).size).toBe(3);
  });

  test('are refused when the file is not what it was', async () => {
    const file = await put('changing.jsonl', rows(4));
    await use(file, inOrder(2), async (data) => {
      await appendFile(file, row(5));
      await expect(data.batch(0)).rejects.toMatchObject({ code: 'BAD_DATA', message: expect.stringMatching(/was changed while it was in use/) });
      await unlink(file);
      await expect(data.batch(0)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });
  });
});

describe('the fingerprint', () => {
  const of = (location: string | string[], options: Partial<TrainingDataOptions> = {}) =>
    use(location, { ...inOrder(2), ...options }, (data) => data.fingerprint);

  test('is that of the rows alone for one file: whatever else it holds, and as a profile has it', async () => {
    const file = await put('print.jsonl', rows(5));
    const other = await put('print-other.jsonl.gz', gzipSync(`bad\n${rows(5)}${row(2)}`));
    const expected = (await readTriplets(file)).fingerprint;
    expect(await of(file)).toBe(expected);
    expect(await of(other, { batchSize: 3, seed: 9, order: 'shuffled' })).toBe(expected);
  });

  test('is another for other rows, another order, another instruction, or the same rows in other data sets', async () => {
    const [first, second] = [`${row(1)}\n${row(2)}\n`, `${row(3)}\n${row(4)}\n`];
    const one = await put('parts/one.jsonl', first);
    const two = await put('parts/two.jsonl', second);
    const whole = await put('parts/whole.jsonl', first + second);
    const locations = [one, two, whole, [one, two], [two, one], await put('parts/nq.jsonl', first)];
    const prints = await Promise.all(locations.map((location) => of(location)));
    expect(new Set([...prints, await of(one, { instruction: 'Find' })]).size).toBe(locations.length + 1);
  });

  test('covers the instructions and the rows, a line each', async () => {
    const lines = '["Find"]\n[null,"q0","p0","n0"]\n[null,"q1","p1","n1"]\n';
    expect(await of(await put('lines.jsonl', rows(2)), { instruction: 'Find' })).toBe(createHash('sha256').update(lines).digest('hex'));
  });
});

describe('what cannot be trained on is one sentence', () => {
  test('a path that is not there', () => fails(path.join(folder, 'none.jsonl'), inOrder(2), 'NOT_FOUND', /^No such file or folder/));
  test('no path', () => fails([], inOrder(2), 'USAGE', /nothing to train on/));
  test('an empty file', async () => fails(await put('empty.jsonl', '\n \n'), inOrder(2), 'BAD_DATA', /empty.jsonl is empty: a row is a JSON object with query and positive\.$/));
  test('files without a row that can be used', async () =>
    fails([await put('bad-a.jsonl', '{}\n'), await put('bad-b.jsonl', '7\n')], inOrder(2), 'BAD_DATA', /none of its 2 rows can be used \(bad-a.jsonl line 1: query is missing; bad-b.jsonl line 1: is not a JSON object\)/));
  test('one row', async () => fails(await put('single.jsonl', row(1)), inOrder(64), 'BAD_DATA', /single.jsonl has 1 usable row, and a batch needs at least 2: give more data\.$/));
  test('one row again and again', async () =>
    fails(await put('same.jsonl', `${row(1)}\n`.repeat(100)), inOrder(4), 'BAD_DATA', /has 1 usable row \(99 repeat an earlier one\), and a batch needs at least 2/));
  test('a batch larger than the data, with the largest that fits', async () =>
    fails(await put('few.jsonl', `${rows(9)}{}\n`), inOrder(10), 'BAD_DATA', /has 9 usable rows \(1 cannot be used\), and a batch needs 10: give more data or a batch size of 9 at most\.$/));
  test('a batch larger than each of the data sets', async () =>
    fails([await put('f/a.jsonl', rows(3, 'a')), await put('f/b.jsonl', rows(5, 'b'))], inOrder(8), 'BAD_DATA', /the largest data set, b, has 5 usable rows.*batch size of 5 at most/));
  test.each([0, 1, 1.5, Number.NaN])('a batch of %s', (batchSize) => fails(folder, inOrder(batchSize), 'USAGE', /at least 2 rows/));
  test('a broken gzip, and no file is left behind', async () => {
    const temporaryFolder = path.join(folder, 'temporary');
    await mkdir(temporaryFolder);
    const broken = await put('broken.jsonl.gz', gzipSync(rows(1000)).subarray(0, -9));
    await fails(broken, { ...inOrder(2), temporaryFolder }, 'BAD_DATA', /cut short/);
    expect(await readdir(temporaryFolder)).toEqual([]);
  });
});

test('opening can be cancelled while it reads', async () => {
  const file = await put('cancel.jsonl', rows(50_000));
  const controller = new AbortController();
  const { signal } = controller;
  const opening = openTrainingData(file, { ...inOrder(2), signal, onProgress: () => controller.abort() });
  await expect(opening).rejects.toMatchObject({ code: 'CANCELLED' });
});

test('opening tells how many bytes it has read, up to all of them', async () => {
  const files = [await put('told-a.jsonl', rows(20_000, 'a')), await put('told-b.jsonl.gz', gzipSync(rows(20_000, 'b')))];
  const told: { bytes: number; totalBytes: number }[] = [];
  await use(files, { ...inOrder(2), onProgress: (progress) => told.push(progress) }, () => undefined);
  expect(told.map(({ bytes }) => bytes)).toEqual(told.map(({ bytes }) => bytes).sort((a, b) => a - b));
  expect(told.at(-1)?.bytes).toBe(told.at(-1)?.totalBytes);
});
