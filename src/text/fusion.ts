import type { Ranked } from './bm25.ts';

/** How deep rankings are fused. */
export const fusionDepth = 200;

/** One of several rankings of the same things. */
export interface Ranking {
  /** Best first, each once; scores fall. */
  readonly ranked: readonly Ranked[];
  readonly weight: number;
  /** What of a score counts as nothing: zero, as of BM25, or the least in the ranking, as of cosines. */
  readonly from: 'zero' | 'least';
}

/** What words and vectors count: found on `data/dev` and `workspace-dev`, see docs/evaluation.md. */
export const fusionWeights = { words: 0.5, vectors: 0.5 } as const;

/** Words by BM25 and vectors by cosine, as one ranking. */
export function fuse(words: readonly Ranked[], vectors: readonly Ranked[]): Ranked[] {
  return fuseScores([
    { ranked: words.slice(0, fusionDepth), weight: fusionWeights.words, from: 'zero' },
    { ranked: vectors.slice(0, fusionDepth), weight: fusionWeights.vectors, from: 'least' },
  ]);
}

/**
 * The convex combination of rankings by their scores (Bruch, Gai and Ingber 2023, "An Analysis of Fusion Functions for
 * Hybrid Retrieval"), each brought to 0 to 1 by its best and by what counts as nothing in it:
 *
 *   score(d) = Σ over the rankings that hold d of weight · (s(d) - nothing) / (best - nothing)
 *
 * Best first; ties go to what stands first in the earlier ranking.
 */
export function fuseScores(rankings: readonly Ranking[]): Ranked[] {
  const scores = new Map<number, number>();
  for (const { ranked, weight, from } of rankings) {
    const best = ranked[0]?.score ?? 0;
    const nothing = from === 'zero' ? 0 : (ranked.at(-1)?.score ?? 0);
    for (const { index, score } of ranked) {
      // One that is all alike has nothing but best ones.
      const share = best > nothing ? (score - nothing) / (best - nothing) : 1;
      scores.set(index, (scores.get(index) ?? 0) + weight * share);
    }
  }
  return Array.from(scores, ([index, score]) => ({ index, score })).sort((a, b) => b.score - a.score);
}
