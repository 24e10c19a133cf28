import { describe, expect, test } from 'vitest';
import { fuse, fuseScores } from '../../src/text/fusion.ts';

const ranked = (...pairs: ReadonlyArray<readonly [index: number, score: number]>) => pairs.map(([index, score]) => ({ index, score }));

describe('fuse', () => {
  test('adds half of each score, words from zero and vectors from the least of them', () => {
    const fused = fuse(ranked([7, 8], [8, 4]), ranked([9, 0.8], [7, 0.5], [6, 0.4]));
    expect(fused.map(({ index }) => index)).toEqual([7, 9, 8, 6]);
    [0.5 + 0.5 * 0.25, 0.5, 0.25, 0].forEach((score, i) => expect(fused[i]?.score).toBeCloseTo(score, 12));
  });

  test('is the same however the scores of a ranking are scaled', () => {
    const words = ranked([1, 3], [2, 2], [3, 1]);
    const vectors = ranked([3, 0.9], [2, 0.2], [4, 0.1]);
    const tenfold = (all: typeof words) => all.map(({ index, score }) => ({ index, score: 10 * score }));
    expect(fuse(tenfold(words), vectors)).toEqual(fuse(words, vectors));
    expect(fuse(words, tenfold(vectors)).map(({ index }) => index)).toEqual(fuse(words, vectors).map(({ index }) => index));
  });

  test('takes a ranking of one, or of equal scores, as the best there is', () => {
    expect(fuse([], ranked([5, 0.3], [6, 0.3]))).toEqual(ranked([5, 0.5], [6, 0.5]));
    expect(fuse(ranked([1, 2]), ranked([1, 0.1]))).toEqual(ranked([1, 1]));
    expect(fuse([], [])).toEqual([]);
  });
});

describe('fuseScores', () => {
  test('gives a tie to the earlier ranking', () => {
    const rankings = [ranked([1, 1]), ranked([2, 5])].map((of) => ({ ranked: of, weight: 1, from: 'zero' as const }));
    expect(fuseScores(rankings).map(({ index }) => index)).toEqual([1, 2]);
    expect(fuseScores(rankings.toReversed()).map(({ index }) => index)).toEqual([2, 1]);
  });
});
