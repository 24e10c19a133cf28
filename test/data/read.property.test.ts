import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readTriplets } from '../../src/data/read.ts';
import { openTrainingData } from '../../src/data/training.ts';
import { canonicalRow, type Triplet } from '../../src/data/triplet.ts';
import { L3PruneError } from '../../src/errors.ts';

const numRuns = process.env.L3PRUNE_LONG === '1' ? 5000 : 300;
const timeout = 300_000;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'l3prune-mutate-'));
});
afterAll(() => rm(folder, { recursive: true }));

const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 });
const validRow = fc.record(
  { query: text, positive: fc.oneof(text, fc.array(text, { maxLength: 2 })), negative: fc.oneof(text, fc.array(text, { maxLength: 3 })), instruction: text },
  { requiredKeys: ['query', 'positive', 'negative'] },
);
const validFile = fc
  .array(fc.oneof({ weight: 9, arbitrary: validRow.map((row) => JSON.stringify(row)) }, fc.constantFrom('', '{}', 'null')), { minLength: 1, maxLength: 12 })
  .chain((lines) => fc.constantFrom('\n', '\r\n').map((newline) => Buffer.from(lines.join(newline))));

/** Overwrites, inserts, deletes or repeats bytes at places of its choice. */
const mutation = fc.array(
  fc.record({
    kind: fc.constantFrom('overwrite', 'insert', 'delete', 'repeat', 'truncate'),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    bytes: fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 6 }), fc.constantFrom('\n', '"', '\0', '\\', '\uFEFF', '[').map((s) => Buffer.from(s))),
  }),
  { maxLength: 4 },
);
type Mutations = typeof mutation extends fc.Arbitrary<infer T> ? T : never;
const mutate = (bytes: Buffer, mutations: Mutations): Buffer =>
  mutations.reduce((current, { kind, at, bytes: change }) => {
    const i = Math.floor(at * current.length);
    const before = current.subarray(0, i);
    const after = current.subarray(i);
    if (kind === 'overwrite') return Buffer.concat([before, change, after.subarray(change.length)]);
    if (kind === 'insert') return Buffer.concat([before, change, after]);
    if (kind === 'delete') return Buffer.concat([before, after.subarray(change.length)]);
    if (kind === 'repeat') return Buffer.concat([before, after, after]);
    return before;
  }, bytes);

/** Counts the lines that are not blank the simple way: whole file, one split. */
const linesOf = (bytes: Buffer): number =>
  bytes
    .toString('latin1')
    .split('\n')
    .filter((line, i) => {
      const decoded = Buffer.from(line, 'latin1').toString('utf8');
      return (i === 0 ? decoded.replace(/^\uFEFF/, '') : decoded).trim() !== '';
    }).length;

async function outcome(name: string, bytes: Buffer): Promise<{ accepted: number; rejected: number } | string> {
  const file = path.join(folder, name);
  await writeFile(file, bytes);
  try {
    const { triplets, rejected, fingerprint } = await readTriplets(file);
    expect(fingerprint).toMatch(/^[0-9a-f]{64}$/);
    for (const { query, positive, negatives } of triplets) for (const s of [query, positive, ...negatives]) expect(s.trim()).not.toBe('');
    expect(triplets.every(({ negatives }) => negatives.length > 0)).toBe(true);
    expect(new Set(rejected.map(({ line }) => line)).size).toBe(rejected.length);
    expect(rejected.every((row) => row.file === file && row.reason !== '')).toBe(true);
    return { accepted: triplets.length, rejected: rejected.length };
  } catch (error) {
    if (!(error instanceof L3PruneError)) throw error;
    expect(error.message).not.toContain('\n');
    return error.code;
  }
}

describe('a damaged data file', () => {
  test('gives triplets and named rejections that account for every line, or one error', async () => {
    await fc.assert(
      fc.asyncProperty(validFile, mutation, async (valid, mutations) => {
        const bytes = mutate(valid, mutations);
        const result = await outcome('mutated.jsonl', bytes);
        if (typeof result === 'string') expect(result).toBe('BAD_DATA');
        else expect(result.accepted + result.rejected).toBe(linesOf(bytes));
      }),
      { numRuns },
    );
  }, timeout);

  test('that was compressed reads as what it was, or is an error', async () => {
    await fc.assert(
      fc.asyncProperty(validFile, mutation, async (valid, mutations) => {
        const bytes = mutate(gzipSync(valid), mutations);
        const result = await outcome('mutated.jsonl.gz', bytes);
        if (typeof result === 'string') expect(result).toBe('BAD_DATA');
        else expect(result.accepted + result.rejected).toBe(linesOf(gunzipSync(bytes)));
      }),
      { numRuns },
    );
  }, timeout);

  test('gives the very rows that its fingerprint is of, read where they lie, and accounts for every other line', async () => {
    await fc.assert(
      fc.asyncProperty(validFile, mutation, fc.boolean(), async (valid, mutations, isPacked) => {
        const bytes = mutate(valid, mutations);
        const file = path.join(folder, 'indexed.jsonl');
        await writeFile(file, isPacked ? gzipSync(bytes) : bytes);
        const data = await openTrainingData(file, { batchSize: 2, seed: 0, order: 'file' }).catch((error: unknown) => {
          expect(error).toMatchObject({ code: 'BAD_DATA' });
        });
        if (data === undefined) return;
        expect(data.rows + data.rejected.length + data.repeated.count).toBe(linesOf(bytes));
        const rows: Triplet[] = [];
        for (let step = 0; rows.length < data.rows; step++) rows.push(...(await data.batch(step)));
        await data.close();
        const said = rows.slice(0, data.rows).map(canonicalRow).join('');
        expect(data.fingerprint).toBe(createHash('sha256').update(said).digest('hex'));
      }),
      { numRuns },
    );
  }, timeout);
});
