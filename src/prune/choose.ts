import { Random } from '../random.ts';
import type { Cut, CutConfidence } from './curve.ts';

/**
 * The two prune points of a loss curve (paper, section 3.2, and its reference code): with mid = floor(L / 2), small is
 * the argmin of the first mid layers and large that of the rest, as 1-based layer counts, the first of ties. A model of
 * one layer has no first half: both are 1.
 */
export function chooseCut(losses: readonly number[]): Cut {
  const mid = Math.floor(losses.length / 2);
  const large = mid + argmin(losses.slice(mid)) + 1;
  return { small: mid === 0 ? large : argmin(losses.slice(0, mid)) + 1, large };
}

/** How often each layer is chosen when the batches are drawn again with replacement (Efron's bootstrap, 2,000 draws). */
export function bootstrapCut(batchLosses: ReadonlyArray<readonly number[]>, seed: number): CutConfidence {
  const draws = 2000;
  const random = Random.fromSeed(seed);
  const layers = batchLosses[0]?.length ?? 0;
  const small = new Map<number, number>();
  const large = new Map<number, number>();
  const sums = new Float64Array(layers);
  for (let draw = 0; draw < draws; draw++) {
    sums.fill(0);
    for (let i = 0; i < batchLosses.length; i++) {
      const batch = batchLosses[random.integer(batchLosses.length)]!;
      for (let layer = 0; layer < layers; layer++) sums[layer]! += batch[layer]!;
    }
    const cut = chooseCut([...sums]);
    small.set(cut.small, (small.get(cut.small) ?? 0) + 1);
    large.set(cut.large, (large.get(cut.large) ?? 0) + 1);
  }
  const ranked = (counts: Map<number, number>) =>
    [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).map(([layer, count]) => [layer, count / draws] as const);
  return { small: ranked(small), large: ranked(large) };
}

/** Mean and its standard error, sqrt(variance / n), over the batches, for every layer. */
export function meanAndError(batchLosses: ReadonlyArray<readonly number[]>): { losses: number[]; stderr: number[] } {
  const count = batchLosses.length;
  const layers = batchLosses[0]?.length ?? 0;
  const losses = Array.from({ length: layers }, (_, layer) => batchLosses.reduce((sum, batch) => sum + batch[layer]!, 0) / count);
  const stderr = losses.map((mean, layer) => {
    const squares = batchLosses.reduce((sum, batch) => sum + (batch[layer]! - mean) ** 2, 0);
    return count < 2 ? 0 : Math.sqrt(squares / (count - 1) / count);
  });
  return { losses, stderr };
}

/** Layers kept when `percent` of them are taken off: int(L · (1 − P/100)) in doubles, as the reference code truncates. */
export function layersAfterPercent(layers: number, percent: number): number {
  return Math.trunc(layers * (1 - percent / 100));
}

function argmin(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value < values[best]! ? i : best), 0);
}
