import { describe, expect, test } from 'vitest';
import { poolingWeights } from '../../src/encoder/pooling.ts';
import type { Pooling } from '../../src/encoder/settings.ts';

function weightsOf(pooled: number[], mode: Pooling): number[] {
  const weights = new Float32Array(pooled.length + 2);
  poolingWeights(Uint8Array.from(pooled), mode, weights, 1);
  return [...weights];
}

describe('poolingWeights', () => {
  test('weighted_mean counts from 1 at the first pooled token', () => {
    const [one, two, three] = [1, 2, 3].map((rank) => Math.fround(rank / 6));
    expect(weightsOf([0, 1, 1, 0, 1], 'weighted_mean')).toEqual([0, 0, one, two, 0, three, 0]);
  });
  test('mean shares evenly', () => {
    expect(weightsOf([0, 1, 1], 'mean')).toEqual([0, 0, 0.5, 0.5, 0]);
  });
  test('last_token takes the last pooled one', () => {
    expect(weightsOf([1, 1, 0], 'last_token')).toEqual([0, 0, 1, 0, 0]);
  });
  test('first_token takes the sequence\'s first, pooled or not', () => {
    expect(weightsOf([0, 1, 1], 'first_token')).toEqual([0, 1, 0, 0, 0]);
  });
});
