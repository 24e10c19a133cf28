/**
 * Reciprocal rank fusion with weights (Cormack, Clarke and Büttcher 2009): score(d) = Σ over the rankings that hold d of
 * weight / (constant + rank).
 */
export interface WeightedRanking {
  /** Chunk ids, best first, each once. */
  readonly ids: readonly number[];
  readonly weight: number;
}

/** The constant of the paper; it keeps a first place in one ranking from deciding alone. */
export const fusionConstant = 60;

/** Ids with their scores, best first; ties go to what stands first in the earlier ranking. */
export function fuseRankings(rankings: readonly WeightedRanking[], constant = fusionConstant): Array<{ readonly id: number; readonly score: number }> {
  const scores = new Map<number, number>();
  for (const { ids, weight } of rankings) ids.forEach((id, i) => scores.set(id, (scores.get(id) ?? 0) + weight / (constant + i + 1)));
  return Array.from(scores, ([id, score]) => ({ id, score })).sort((a, b) => b.score - a.score);
}
