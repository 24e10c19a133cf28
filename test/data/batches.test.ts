import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { planBatches } from '../../src/data/batches.ts';
import type { TripletSet } from '../../src/data/triplet.ts';

const setOf = (count: number): TripletSet => ({
  triplets: Array.from({ length: count }, (_, i) => ({ query: `q${i}`, positive: `p${i}`, negatives: [`n${i}`] })),
  rejected: [],
  fingerprint: '',
});

describe('planBatches', () => {
  test('cuts the rows in order and leaves out those that fill no batch', () => {
    const batches = planBatches(setOf(8), { batchSize: 3 });
    expect(batches.map((batch) => batch.map(({ query }) => query))).toEqual([
      ['q0', 'q1', 'q2'],
      ['q3', 'q4', 'q5'],
    ]);
  });

  test('gives no more batches than were asked for', () => {
    expect(planBatches(setOf(100), { batchSize: 10, batches: 4 })).toHaveLength(4);
  });

  test('uses no row twice and leaves out fewer than a batch', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 9 }), fc.integer({ min: 20, max: 60 }), (batchSize, rows) => {
        const batches = planBatches(setOf(rows), { batchSize });
        expect(batches.every((batch) => batch.length === batchSize)).toBe(true);
        expect(new Set(batches.flat().map(({ query }) => query)).size).toBe(batches.length * batchSize);
        expect(batches).toHaveLength(Math.floor(rows / batchSize));
      }),
    );
  });

  test('says how many rows there are and how many it needs when there are not two batches', () => {
    const plan = () => planBatches({ ...setOf(5), rejected: [{ file: 'f', line: 1, reason: 'r' }] }, { batchSize: 4 });
    expect(plan).toThrow('The data has 5 usable rows (1 more were rejected); two batches of 4 need 8');
  });

  test('refuses a batch of one and a plan of one batch', () => {
    expect(() => planBatches(setOf(9), { batchSize: 1 })).toThrow('at least 2 rows');
    expect(() => planBatches(setOf(9), { batchSize: 2, batches: 1 })).toThrow('at least 2 batches');
  });
});
