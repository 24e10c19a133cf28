import { describe, expect, test } from 'vitest';
import { rangeMetrics } from '../../src/eval/workspace.ts';

const chunk = (path: string, startLine: number, endLine: number) => ({ path, startLine, endLine });

describe('a ranking of chunks against places', () => {
  test('has every place once, where a chunk first overlaps it', () => {
    const hits = [chunk('b.ts', 1, 9), chunk('a.ts', 1, 20), chunk('a.ts', 15, 30), chunk('a.ts', 40, 50)];
    // The second chunk finds the first two places, the fourth the third; nothing finds the last.
    const relevant = [chunk('a.ts', 2, 3), chunk('a.ts', 18, 25), chunk('a.ts', 50, 60), chunk('c.ts', 1, 9)];
    const { mrrAt10, ndcgAt10, recallAt1, recallAt10, recallAt100 } = rangeMetrics(hits, relevant);
    const ideal = 1 + 1 / Math.log2(3) + 1 / 2 + 1 / Math.log2(5);
    expect({ mrrAt10, recallAt1, recallAt10, recallAt100 }).toEqual({ mrrAt10: 1 / 2, recallAt1: 0, recallAt10: 3 / 4, recallAt100: 3 / 4 });
    expect(ndcgAt10).toBeCloseTo((2 / Math.log2(3) + 1 / Math.log2(5)) / ideal, 12);
  });

  test('counts lines at both ends, and no line beside them', () => {
    const found = (startLine: number, endLine: number): number => rangeMetrics([chunk('a.ts', 5, 9)], [chunk('a.ts', startLine, endLine)]).recallAt1;
    expect([found(1, 4), found(1, 5), found(9, 12), found(10, 12), found(6, 7), found(1, 20)]).toEqual([0, 1, 1, 0, 1, 1]);
  });
});
