/** How well rankings answer queries; each value is a mean over the queries, 0 to 1. */
export interface Metrics {
  readonly queries: number;
  /** Mean reciprocal rank of the first relevant document within the first 10. */
  readonly mrrAt10: number;
  /** Normalised discounted cumulative gain within the first 10: the gain is the grade, the discount log2(rank + 1). */
  readonly ndcgAt10: number;
  /** Share of the relevant documents within the first 1, 10 and 100. */
  readonly recallAt1: number;
  readonly recallAt10: number;
  readonly recallAt100: number;
}

/** The same for one query; what a bootstrap over queries resamples. */
export type QueryMetrics = Omit<Metrics, 'queries'>;

/**
 * Measures one ranking as trec_eval does.
 *
 * @param ranking document ids or indexes, best first, each once; 100 are enough
 * @param relevant the documents that answer the query, at least one, each with its grade, a whole number from 1
 */
export function queryMetrics<Id>(ranking: readonly Id[], relevant: ReadonlyMap<Id, number>): QueryMetrics {
  const hits = ranking.slice(0, depth).flatMap((id, i) => (relevant.has(id) ? [{ rank: i + 1, grade: relevant.get(id)! }] : []));
  return metricsOfHits(hits, [...relevant.values()]);
}

/** Ranks below count for nothing. */
const depth = 100;

/** A relevant document, or part of one, at the rank where it is first found. */
export interface Hit {
  readonly rank: number;
  readonly grade: number;
}

/**
 * The same from what was found where; several may be found at one rank.
 *
 * @param hits by rank, within the first 100
 * @param grades of all that is relevant, at least one
 */
export function metricsOfHits(hits: readonly Hit[], grades: readonly number[]): QueryMetrics {
  const within = (cutoff: number): readonly Hit[] => hits.filter(({ rank }) => rank <= cutoff);
  const gain = (ranked: readonly Hit[]): number => ranked.reduce((sum, { rank, grade }) => sum + grade / Math.log2(rank + 1), 0);
  const ideal = grades
    .toSorted((a, b) => b - a)
    .slice(0, 10)
    .map((grade, i) => ({ rank: i + 1, grade }));
  return {
    mrrAt10: within(10).length > 0 ? 1 / hits[0]!.rank : 0,
    ndcgAt10: gain(within(10)) / gain(ideal),
    recallAt1: within(1).length / grades.length,
    recallAt10: within(10).length / grades.length,
    recallAt100: within(depth).length / grades.length,
  };
}

/** The mean of at least one query's metrics. */
export function meanMetrics(each: readonly QueryMetrics[]): Metrics {
  const mean = (name: keyof QueryMetrics): number => each.reduce((sum, metrics) => sum + metrics[name], 0) / each.length;
  return {
    queries: each.length,
    mrrAt10: mean('mrrAt10'),
    ndcgAt10: mean('ndcgAt10'),
    recallAt1: mean('recallAt1'),
    recallAt10: mean('recallAt10'),
    recallAt100: mean('recallAt100'),
  };
}
