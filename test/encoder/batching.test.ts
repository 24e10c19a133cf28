import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { planRuns } from '../../src/encoder/batching.ts';

const lengthLists = fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 120 });
const budgets = fc.integer({ min: 1, max: 600 });

describe('planRuns', () => {
  test('puts every text into one run, and no run over the budget but a text that is longer than it', () => {
    fc.assert(
      fc.property(lengthLists, budgets, (lengths, budget) => {
        const runs = planRuns(lengths, budget);
        expect(runs.flat().sort((a, b) => a - b)).toEqual(lengths.map((_, i) => i));
        for (const run of runs) {
          const longest = Math.max(...run.map((place) => lengths[place]!));
          expect(run.length === 1 || run.length * longest <= budget).toBe(true);
        }
      }),
    );
  });

  test('gives the same runs for the same lengths', () => {
    expect(planRuns([5, 90, 6, 88, 5], 200)).toEqual(planRuns([5, 90, 6, 88, 5], 200));
  });

  test('groups texts of similar length', () => {
    expect(planRuns([5, 90, 6, 88, 5], 200)).toEqual([
      [1, 3],
      [2, 0, 4],
    ]);
  });

  test('has no run for no texts', () => {
    expect(planRuns([], 100)).toEqual([]);
  });
});
