import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MAX_LINE_BYTES } from '../../src/data/lines.ts';
import { readTriplets, sampleTriplets } from '../../src/data/read.ts';
import { Rejections } from '../../src/data/rows.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'l3prune-read-'));
});
afterAll(() => rm(folder, { recursive: true }));

const put = async (name: string, content: string | Uint8Array): Promise<string> => {
  const file = path.join(folder, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, content);
  return file;
};
const row = (i: number | string): string => JSON.stringify({ query: `q${i}`, positive: `p${i}`, negative: `n${i}` });
const rows = (count: number): string => Array.from({ length: count }, (_, i) => row(i)).join('\n');
const reasons = async (content: string | Uint8Array): Promise<string[]> => {
  const lines = typeof content === 'string' ? Buffer.from(content) : content;
  const file = await put('reasons.jsonl', Buffer.concat([Buffer.from(`${row('ok')}\n`), lines]));
  return (await readTriplets(file)).rejected.map(({ line, reason }) => `${line}: ${reason}`);
};

describe('a row', () => {
  test('has a query, a positive and a negative', async () => {
    const set = await readTriplets(await put('a.jsonl', row(1)));
    expect(set.triplets).toEqual([{ query: 'q1', positive: 'p1', negatives: ['n1'] }]);
    expect(set.rejected).toEqual([]);
  });

  test('may have an instruction, lists, both names of negatives, and fields that nobody asked for', async () => {
    const file = await put(
      'b.jsonl',
      JSON.stringify({ query: 'q', positive: ['p', 'other'], negative: 'a', negatives: ['b', 'c'], instruction: 'Find', id: 7 }),
    );
    expect((await readTriplets(file)).triplets).toEqual([
      { query: 'q', positive: 'p', negatives: ['a', 'b', 'c'], instruction: 'Find' },
    ]);
  });

  test('whose instruction is null or blank has none', async () => {
    const withInstruction = (instruction: unknown) => JSON.stringify({ query: 'q', positive: 'p', negative: 'n', instruction });
    const set = await readTriplets(await put('c.jsonl', `${withInstruction(null)}\n${withInstruction(' ')}`));
    expect(set.triplets).toEqual([
      { query: 'q', positive: 'p', negatives: ['n'] },
      { query: 'q', positive: 'p', negatives: ['n'] },
    ]);
  });

  test.each([
    ['{"positive":"p","negative":"n"}', 'query is missing'],
    ['{"query":1,"positive":"p","negative":"n"}', 'query is not a text'],
    ['{"query":" \\t\\n","positive":"p","negative":"n"}', 'query is empty'],
    ['{"query":"q","negative":"n"}', 'positive is missing'],
    ['{"query":"q","positive":[],"negative":"n"}', 'positive is empty'],
    ['{"query":"q","positive":{"a":1},"negative":"n"}', 'positive is not a text'],
    ['{"query":"q","positive":"p"}', 'negative is missing'],
    ['{"query":"q","positive":"p","negatives":[]}', 'negative is missing'],
    ['{"query":"q","positive":"p","negatives":["n",""]}', 'negatives is empty'],
    ['{"query":"q","positive":"p","negative":null}', 'negative is missing'],
    ['{"query":"q","positive":"p","negative":7}', 'negative is not a text'],
    ['{"query":"q","positive":"p","negative":"n","instruction":3}', 'instruction is not a text'],
    ['{"query":"q\\u0000","positive":"p","negative":"n"}', 'query holds a NUL'],
    ['{"query":"q","positive":"\\ud83d","negative":"n"}', 'positive holds half of a surrogate pair'],
    ['{"query":"q","positive":"p","negative":"n"', 'is not valid JSON'],
    ['[1,2]', 'is not a JSON object'],
    ['"text"', 'is not a JSON object'],
    ['null', 'is not a JSON object'],
    [`${'['.repeat(100_000)}${']'.repeat(100_000)}`, 'is not a JSON object'],
    ['{"query":"q","positive":"p","negative":"n","__proto__":{"query":1}', 'is not valid JSON'],
  ])('%.60s is rejected by line: %s', async (text, reason) => {
    expect(await reasons(text)).toEqual([`2: ${reason}`]);
  });

  test('with bad UTF-8 or a raw NUL is rejected by line, its neighbours are not', async () => {
    const bad = Buffer.from(row('bad'));
    bad[bad.indexOf('bad')] = 0xff;
    const content = Buffer.concat([bad, Buffer.from(`\n${row(2)}\n\0\0\n${row(3)}`)]);
    expect(await reasons(content)).toEqual(['2: is not valid UTF-8', '4: is not valid JSON']);
  });

  test('longer than the cap is rejected without being held, and the one after it is read', async () => {
    const long = Buffer.alloc(3 * MAX_LINE_BYTES, 'x');
    const file = await put('long.jsonl', Buffer.concat([long, Buffer.from(`\n${row(1)}`)]));
    const set = await readTriplets(file);
    expect(set.rejected).toEqual([{ file, line: 1, reason: 'is longer than 16 MB' }]);
    expect(set.triplets).toHaveLength(1);
  });
});

describe('a file', () => {
  test('may have CRLF, a byte order mark, blank lines and no newline at its end', async () => {
    const set = await readTriplets(await put('crlf.jsonl', `\uFEFF${row(1)}\r\n\r\n  \n${row(2)}\r\n${row(3)}`));
    expect(set.triplets.map(({ query }) => query)).toEqual(['q1', 'q2', 'q3']);
    expect(set.rejected).toEqual([]);
  });

  test('may be gzip, in one member or several, whatever its name', async () => {
    const expected = (await readTriplets(await put('plain.jsonl', rows(4)))).fingerprint;
    const whole = await put('whole.jsonl.gz', gzipSync(rows(4)));
    const halves = await put('halves.jsonl', Buffer.concat([gzipSync(`${row(0)}\n${row(1)}\n`), gzipSync(`${row(2)}\n${row(3)}`)]));
    expect((await readTriplets(whole)).fingerprint).toBe(expected);
    expect((await readTriplets(halves)).fingerprint).toBe(expected);
  });

  test('has the SHA-256 of its accepted rows as fingerprint, however they are written', async () => {
    const one = await readTriplets(await put('one.jsonl', '{"query":"q","positive":"p","negative":"n"}'));
    const other = await readTriplets(await put('other.jsonl', 'x\n{"id":1, "negatives":["n"], "positive":["p"], "query":"\\u0071"}\r\n'));
    // printf '[null,"q","p","n"]\n' | sha256sum
    expect(one.fingerprint).toBe('ebd4ba85a09d5d6a382e941389bd2614084c56ece30d4494a1032195518668e0');
    expect(other.fingerprint).toBe(one.fingerprint);
  });

  test('is read no further than the limit', async () => {
    const set = await readTriplets(await put('limit.jsonl', `${rows(3)}\nbad`), { limit: 3 });
    expect(set.triplets).toHaveLength(3);
    expect(set.rejected).toEqual([]);
  });

  test('can be one of a folder, read by name', async () => {
    await put('set/b.jsonl', row('b'));
    await put('set/a.jsonl.gz', gzipSync(row('a')));
    await put('set/readme.txt', 'not data');
    const set = await readTriplets(path.join(folder, 'set'));
    expect(set.triplets.map(({ query }) => query)).toEqual(['qa', 'qb']);
  });
});

describe('what cannot be read is one sentence', () => {
  const compressed = gzipSync(rows(1000));
  const fails = async (file: Promise<string> | string, code: string, message: RegExp) => {
    await expect(readTriplets(await file)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  };

  test('a path that is not there', () => fails(path.join(folder, 'none.jsonl'), 'NOT_FOUND', /^No such file or folder: .*none/));
  test('a path through a file', async () => fails(path.join(await put('f.jsonl', row(1)), 'x'), 'NOT_FOUND', /^No such/));
  test('a path with a NUL', () => fails('a\0b', 'NOT_FOUND', /cannot be read/));
  test.skipIf(process.platform === 'win32')('a device', () => fails('/dev/null', 'BAD_DATA', /neither a file nor a folder/));
  test('a folder without data', async () => fails(path.dirname(await put('empty/readme.md', '')), 'BAD_DATA', /no \.jsonl/));
  test('an empty file', () => fails(put('empty.jsonl', ''), 'BAD_DATA', /is empty/));
  test('an empty file named .gz', () => fails(put('empty.jsonl.gz', ''), 'BAD_DATA', /not a gzip/));
  test('text named .gz', () => fails(put('text.jsonl.gz', rows(3)), 'BAD_DATA', /not a gzip/));
  test('a truncated gzip', () => fails(put('cut.jsonl.gz', compressed.subarray(0, -9)), 'BAD_DATA', /cut short.*after line \d+/));
  test('a gzip with a wrong checksum', () => {
    const wrong = Buffer.from(compressed);
    wrong[wrong.length - 6]! ^= 1;
    return fails(put('crc.jsonl.gz', wrong), 'BAD_DATA', /corrupt/);
  });
  test('a gzip with text after it', () =>
    fails(put('tail.jsonl.gz', Buffer.concat([compressed, Buffer.from('tail')])), 'BAD_DATA', /corrupt: .* after line \d+/));
  test('a gzip with zeros and more after it', () =>
    fails(put('zeros.jsonl.gz', Buffer.concat([compressed, Buffer.alloc(512), compressed])), 'BAD_DATA', /after the end/));
  test('UTF-16', () => fails(put('utf16.jsonl', Buffer.from(`\uFEFF${rows(2)}`, 'utf16le')), 'BAD_DATA', /UTF-16/));
  test('a binary', () => fails(put('binary.jsonl', Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 1, 10, 0xff, 0xfe])), 'BAD_DATA', /line 1: is not valid JSON; binary.jsonl line 2: is not valid UTF-8/));
  test('a file whose every row is rejected, by the first reasons', () =>
    fails(put('all.jsonl', '{}\n[]\n{"query":""}\n{}\n'), 'BAD_DATA', /none of its 4 rows.*all.jsonl line 1: query is missing; all.jsonl line 2: is not a JSON object; all.jsonl line 3: query is empty\)/));

  test('a file with more rejected rows than can be named', () => {
    const rejections = new Rejections();
    const row = { file: 'endless.jsonl', line: 1, reason: 'is not a JSON object' };
    for (let i = 0; i < 1_000_000; i++) rejections.add(row);
    expect(() => rejections.add(row)).toThrow('more than 1000000 rows were rejected (endless.jsonl line 1: is not a JSON object;');
  });

  test('a cancelled reading', async () => {
    const file = await put('cancel.jsonl', rows(10));
    await expect(readTriplets(file, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

describe('a sample', () => {
  const queries = async (file: string, count: number, seed: number, order: 'shuffled' | 'file' = 'shuffled') =>
    (await sampleTriplets(file, { count, seed, order })).triplets.map(({ query }) => query);

  test('in file order is the first rows', async () => {
    expect(await queries(await put('s.jsonl', rows(50)), 3, 1, 'file')).toEqual(['q0', 'q1', 'q2']);
  });

  test('is fixed by the seed, and a prefix of a larger one', async () => {
    const file = await put('s.jsonl', rows(500));
    const small = await queries(file, 20, 42);
    expect(await queries(file, 20, 42)).toEqual(small);
    expect((await queries(file, 100, 42)).slice(0, 20)).toEqual(small);
    expect(await queries(file, 20, 43)).not.toEqual(small);
    expect(new Set(small).size).toBe(20);
  });

  test('takes every row there is when there are fewer', async () => {
    const all = await queries(await put('s.jsonl', rows(10)), 100, 42);
    expect(all.toSorted()).toEqual(Array.from({ length: 10 }, (_, i) => `q${i}`));
  });

  test('takes rows from everywhere alike', async () => {
    const file = await put('s.jsonl', rows(100));
    const counts = Array.from({ length: 100 }, () => 0);
    for (let seed = 0; seed < 200; seed++) for (const query of await queries(file, 10, seed)) counts[Number(query.slice(1))]!++;
    // 20 expected a row, standard deviation 4.2.
    expect(Math.min(...counts)).toBeGreaterThan(5);
    expect(Math.max(...counts)).toBeLessThan(38);
  });

  test('has the fingerprint of all rows, whatever was drawn', async () => {
    const file = await put('s.jsonl', rows(100));
    const { fingerprint } = await readTriplets(file);
    expect((await sampleTriplets(file, { count: 5, seed: 1, order: 'shuffled' })).fingerprint).toBe(fingerprint);
  });
});
