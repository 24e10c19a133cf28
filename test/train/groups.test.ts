import { describe, expect, test } from 'vitest';
import { Random } from '../../src/random.ts';
import { planGroups } from '../../src/train/groups.ts';

const padded = (groups: readonly (readonly number[])[], lengths: readonly number[]): number =>
  groups.reduce((sum, group) => sum + group.length * Math.max(...group.map((place) => lengths[place]!)), 0);

/** The least padding of any cut of the sorted lengths into so many groups, by trying all of them. */
function cheapest(sorted: readonly number[], groups: number): number {
  if (sorted.length === 0) return 0;
  if (groups === 0) return Infinity;
  return Math.min(...sorted.map((_, i) => (i + 1) * sorted[0]! + cheapest(sorted.slice(i + 1), groups - 1)));
}

describe('planGroups', () => {
  const random = Random.fromSeed(3);
  const cases = Array.from({ length: 40 }, () => Array.from({ length: 1 + Math.floor(random.float() * 9) }, () => 1 + Math.floor(random.float() * 30)));

  test('has every text once', () => {
    for (const lengths of cases) expect(planGroups(lengths, 4).flat().toSorted((a, b) => a - b)).toEqual(lengths.map((_, place) => place));
  });

  test('pads as little as any cut does', () => {
    for (const lengths of cases)
      for (const most of [1, 2, 4]) {
        const groups = planGroups(lengths, most);
        expect(groups.length).toBeLessThanOrEqual(most);
        expect(padded(groups, lengths)).toBe(cheapest(lengths.toSorted((a, b) => b - a), most));
      }
  });
});
