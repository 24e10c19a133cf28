import { Random } from '../random.ts';

/** A mean with the interval that holds 95 % of its bootstrap resamples. */
export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 10_000;

/**
 * The paired bootstrap (Efron 1979, percentile interval) of the mean difference `a - b` over queries: both systems are
 * resampled on the same queries, so that what a query is worth cancels out. An interval without zero is a difference.
 *
 * @param a, b one value a query, in the same order, at least one
 */
export function pairedBootstrap(a: readonly number[], b: readonly number[], seed: number): Interval {
  const differences = Float64Array.from(a, (value, i) => value - (b[i] as number));
  const n = differences.length;
  const random = Random.fromSeed(seed);
  const means = Float64Array.from({ length: RESAMPLES }, () => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += differences[random.integer(n)] as number;
    return sum / n;
  }).sort();
  const at = (share: number): number => means[Math.round(share * (RESAMPLES - 1))] as number;
  return { mean: differences.reduce((sum, x) => sum + x, 0) / n, low: at(0.025), high: at(0.975) };
}
