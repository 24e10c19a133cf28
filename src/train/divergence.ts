/** Steps whose mean loss is looked at: few batches tell little, and a run that goes wrong stays wrong. */
export const lossWindow = 20;

/** What is remembered of the losses of a run, and of its gradients. */
export interface LossWatch {
  /** The last `lossWindow` losses, oldest first. */
  readonly recent: readonly number[];
  /** The lowest mean of so many in a row; null before there were so many. */
  readonly lowest: number | null;
  /** The norms of the gradients of the same steps, and the largest of the run. */
  readonly gradients: readonly number[];
  readonly largestGradient: number;
}

export const emptyWatch: LossWatch = { recent: [], lowest: null, gradients: [], largestGradient: 0 };

export function watchLoss({ recent, lowest, gradients, largestGradient }: LossWatch, { loss, gradNorm }: { readonly loss: number; readonly gradNorm: number }): LossWatch {
  const last = [...recent, loss].slice(-lossWindow);
  return {
    recent: last,
    lowest: last.length < lossWindow ? lowest : Math.min(lowest ?? Infinity, mean(last)),
    gradients: [...gradients, gradNorm].slice(-lossWindow),
    largestGradient: Math.max(largestGradient, gradNorm),
  };
}

/**
 * Whether a run has collapsed: it gives all texts nearly one vector, so that the loss stays at that of an encoder that
 * knows nothing, and next to nothing is left of the gradients, so that it stays there for ever. A run that has not begun to
 * learn has such a loss too, and its largest gradients.
 */
export function hasCollapsed({ recent, gradients, largestGradient }: LossWatch, candidates: number): boolean {
  const chance = Math.log(candidates);
  return recent.length === lossWindow && Math.abs(mean(recent) - chance) < 0.02 * chance && mean(gradients) < 0.05 * largestGradient;
}

/**
 * Whether a run has left what it had learned: over the last 20 steps it does worse than an encoder that knows nothing,
 * whose loss is ln(candidates), and twice as badly as in its best 20. Either alone would be wrong: an untrained model may
 * begin above chance, and a good one may double its loss on a harder data set. The warm-up cannot be mistaken for it,
 * because what a run begins with is its best until it does better. A loss that is no number is told by itself.
 */
export function hasDiverged(watch: LossWatch, candidates: number): boolean {
  return watch.lowest !== null && mean(watch.recent) > Math.max(Math.log(candidates), 2 * watch.lowest);
}

/** Whether a state may be gone back to when a later one has diverged: half-way to that point it may not. */
export function isHealthy(watch: LossWatch, candidates: number): boolean {
  if (hasCollapsed(watch, candidates)) return false;
  return watch.lowest === null || mean(watch.recent) <= Math.max(Math.log(candidates) / 2, 1.5 * watch.lowest);
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
