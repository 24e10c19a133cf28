import { describe, expect, test } from 'vitest';
import { bootstrapCut, chooseCut, layersAfterPercent, meanAndError } from '../../src/prune/choose.ts';

describe('chooseCut', () => {
  test('takes the argmin of each half, counted from 1, the first of ties', () => {
    expect(chooseCut([3, 1, 1, 5, 2, 2])).toEqual({ small: 2, large: 5 });
  });
  test('gives the middle layer of an odd count to the second half', () => {
    expect(chooseCut([3, 2, 1, 4, 5])).toEqual({ small: 2, large: 3 });
  });
  test('takes the only layer for both where there is one', () => {
    expect(chooseCut([7])).toEqual({ small: 1, large: 1 });
  });
});

describe('layersAfterPercent', () => {
  // Facts of the paper's reference code: kept layers at 0, 10 … 90 percent.
  test.each([
    [32, [32, 28, 25, 22, 19, 16, 12, 9, 6, 3]],
    [28, [28, 25, 22, 19, 16, 14, 11, 8, 5, 2]],
  ])('truncates as the reference code does, of %i layers', (layers, kept) => {
    expect(kept.map((_, i) => layersAfterPercent(layers, i * 10))).toEqual(kept);
  });
  test('follows the doubles where they truncate', () => {
    expect([layersAfterPercent(20, 90), layersAfterPercent(30, 90)]).toEqual([1, 2]);
  });
});

describe('meanAndError', () => {
  test('gives the mean and the standard deviation over the root of the count', () => {
    const { losses, stderr } = meanAndError([[1, 4], [2, 4], [3, 4]]);
    expect(losses).toEqual([2, 4]);
    expect(stderr[0]).toBeCloseTo(1 / Math.sqrt(3), 12);
    expect(stderr[1]).toBe(0);
  });
});

describe('bootstrapCut', () => {
  test('is sure where every batch says the same', () => {
    const batches = Array.from({ length: 8 }, () => [2, 1, 3, 1, 2, 3]);
    expect(bootstrapCut(batches, 1)).toEqual({ small: [[2, expect.closeTo(1)]], large: [[4, expect.closeTo(1)]] });
  });
  test('shares the probability where the batches disagree, and the same seed draws the same', () => {
    const batches = [[1, 2, 1, 2], [2, 1, 2, 1], [1, 2, 1, 2], [2, 1.1, 2, 1]];
    const { small } = bootstrapCut(batches, 5);
    expect(small).toHaveLength(2);
    expect(small.reduce((sum, [, probability]) => sum + probability, 0)).toBeCloseTo(1, 9);
    expect(bootstrapCut(batches, 5).small).toEqual(small);
  });
});
