/** How well rankings answer queries with binary relevance; each value is a mean over the queries, 0 to 1. */
export interface Metrics {
  readonly queries: number;
  /** Mean reciprocal rank of the first relevant document within the first 10. */
  readonly mrrAt10: number;
  /** Normalised discounted cumulative gain within the first 10: gain 1, discount log2(rank + 1). */
  readonly ndcgAt10: number;
  /** Share of the relevant documents within the first 1, 10 and 100. */
  readonly recallAt1: number;
  readonly recallAt10: number;
  readonly recallAt100: number;
}

/** The same for one query; what a bootstrap over queries resamples. */
export type QueryMetrics = Omit<Metrics, 'queries'>;

/**
 * Measures one ranking.
 *
 * @param ranking document ids or indexes, best first, each once; 100 are enough
 * @param relevant the documents that answer the query, at least one
 */
export function queryMetrics<Id>(ranking: readonly Id[], relevant: ReadonlySet<Id>): QueryMetrics {
  const hits = ranking.slice(0, 100).flatMap((id, i) => (relevant.has(id) ? [i + 1] : [])); // 1-based ranks, ascending
  const within = (cutoff: number): number[] => hits.filter((rank) => rank <= cutoff);
  const gain = (ranks: readonly number[]): number => ranks.reduce((sum, rank) => sum + 1 / Math.log2(rank + 1), 0);
  const ideal = Array.from({ length: Math.min(10, relevant.size) }, (_, i) => i + 1);
  return {
    mrrAt10: within(10).length > 0 ? 1 / (hits[0] as number) : 0,
    ndcgAt10: gain(within(10)) / gain(ideal),
    recallAt1: within(1).length / relevant.size,
    recallAt10: within(10).length / relevant.size,
    recallAt100: hits.length / relevant.size,
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
