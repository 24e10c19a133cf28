import type { Ranked } from '../text/bm25.ts';

/** The constant of the paper; it keeps a first place in one list from deciding alone. */
const K = 60;

/**
 * Reciprocal rank fusion (Cormack, Clarke and Büttcher 2009): score(d) = Σ over the rankings that hold d of 1 / (60 + rank).
 * Ties go to the document that stands first in the earlier ranking.
 *
 * @param rankings document indexes, best first, each once a ranking
 */
export function fuse(rankings: ReadonlyArray<readonly number[]>): Ranked[] {
  const scores = new Map<number, number>();
  for (const ranking of rankings) ranking.forEach((index, i) => scores.set(index, (scores.get(index) ?? 0) + 1 / (K + i + 1)));
  return Array.from(scores, ([index, score]) => ({ index, score })).sort((a, b) => b.score - a.score);
}
