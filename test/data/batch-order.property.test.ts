import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BatchOrder } from '../../src/data/batch-order.ts';

const sizes = fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 5 });
const planned = fc
  .record({ sizes, batchSize: fc.integer({ min: 2, max: 9 }), seed: fc.maxSafeInteger(), order: fc.constantFrom('shuffled' as const, 'file' as const) })
  .filter(({ sizes, batchSize }) => sizes.some((size) => size >= batchSize));
type Plan = typeof planned extends fc.Arbitrary<infer T> ? T : never;

const open = ({ sizes, ...options }: Plan): BatchOrder => new BatchOrder(sizes, options);
const batch = (order: BatchOrder, step: number) => {
  const { dataset, rows } = order.at(step);
  return { dataset, rows: [...rows] };
};
const epoch = (order: BatchOrder, number: number) =>
  Array.from({ length: order.batchesPerEpoch }, (_, i) => batch(order, number * order.batchesPerEpoch + i));

describe('an epoch', () => {
  test('has as many whole batches of each data set as its rows fill, and no row twice', () => {
    fc.assert(
      fc.property(planned, fc.nat(5), (plan, number) => {
        const batches = epoch(open(plan), number);
        for (const [dataset, size] of plan.sizes.entries()) {
          const rows = batches.filter((batch) => batch.dataset === dataset).map(({ rows }) => rows);
          expect(rows).toHaveLength(Math.floor(size / plan.batchSize));
          expect(rows.every((batch) => batch.length === plan.batchSize)).toBe(true);
          expect(new Set(rows.flat()).size).toBe(rows.length * plan.batchSize);
          expect(rows.flat().every((row) => row >= 0 && row < size)).toBe(true);
        }
      }),
    );
  });

  test('that nothing is left over from has every row exactly once', () => {
    const whole = planned.map((plan) => ({ ...plan, sizes: plan.sizes.map((size) => Math.ceil(size / plan.batchSize) * plan.batchSize) }));
    fc.assert(
      fc.property(whole, fc.nat(3), (plan, number) => {
        const seen = epoch(open(plan), number).flatMap(({ dataset, rows }) => rows.map((row) => `${dataset}/${row}`));
        const all = plan.sizes.flatMap((size, dataset) => Array.from({ length: size }, (_, row) => `${dataset}/${row}`));
        expect(seen.sort()).toEqual(all.sort());
      }),
    );
  });
});

describe('a batch', () => {
  test('is the same whatever was asked for before', () => {
    fc.assert(
      fc.property(planned, fc.array(fc.nat(200), { maxLength: 12 }), (plan, steps) => {
        const order = open(plan);
        for (const step of steps) expect(batch(order, step)).toEqual(batch(open(plan), step));
      }),
    );
  });

  test('is the same in every process and on every machine', () => {
    const order = new BatchOrder([7, 1, 4], { batchSize: 3, seed: 42, order: 'shuffled' });
    // The same generator and shuffle written in Python give these.
    expect([0, 1, 2, 3, 4, 5].map((step) => batch(order, step))).toEqual([
      { dataset: 0, rows: [1, 2, 4] },
      { dataset: 2, rows: [2, 0, 3] },
      { dataset: 0, rows: [6, 0, 3] },
      { dataset: 0, rows: [4, 0, 2] },
      { dataset: 2, rows: [2, 0, 1] },
      { dataset: 0, rows: [3, 1, 6] },
    ]);
  });

  test('in file order goes on in each data set where the last one stopped', () => {
    const order = new BatchOrder([5, 4], { batchSize: 2, seed: 0, order: 'file' });
    expect([0, 1, 2, 3, 4, 5].map((step) => batch(order, step))).toEqual([
      { dataset: 0, rows: [0, 1] },
      { dataset: 0, rows: [2, 3] },
      { dataset: 1, rows: [0, 1] },
      { dataset: 1, rows: [2, 3] },
      { dataset: 0, rows: [4, 0] },
      { dataset: 0, rows: [1, 2] },
    ]);
  });
});

describe('a shuffle', () => {
  test('puts every row everywhere alike', () => {
    // 3,000 epochs of 6 rows: a place is taken by a row 500 times, give or take 20.4 (one standard deviation).
    const counts = Array.from({ length: 36 }, () => 0);
    const order = new BatchOrder([6], { batchSize: 6, seed: 1, order: 'shuffled' });
    for (let step = 0; step < 3000; step++) for (const [place, row] of batch(order, step).rows.entries()) counts[place * 6 + row]! += 1;
    expect(Math.min(...counts)).toBeGreaterThan(410);
    expect(Math.max(...counts)).toBeLessThan(590);
  });

  test('is another in each epoch and for each seed', () => {
    const shuffles = [1, 2].flatMap((seed) => {
      const order = new BatchOrder([30], { batchSize: 30, seed, order: 'shuffled' });
      return [0, 1, 2].map((step) => batch(order, step).rows.join());
    });
    expect(new Set(shuffles).size).toBe(6);
  });

  test('mixes the batches of the data sets', () => {
    const order = new BatchOrder([200, 200], { batchSize: 2, seed: 1, order: 'shuffled' });
    const datasets = epoch(order, 0).map(({ dataset }) => dataset);
    const inFirstHalf = datasets.slice(0, 100).filter((dataset) => dataset === 0).length;
    expect(inFirstHalf).toBeGreaterThan(30);
    expect(inFirstHalf).toBeLessThan(70);
  });
});
