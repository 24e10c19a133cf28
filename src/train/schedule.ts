/** The learning rate of a run: its peak, and the steps over which it rises and falls. */
export interface Schedule {
  readonly lr: number;
  readonly warmup: number;
  readonly steps: number;
}

/** The rate of step t, counted from 0: linear from 0 over the warm-up, then linear to 0, as transformers' linear schedule. */
export function learningRate({ lr, warmup, steps }: Schedule, step: number): number {
  if (step < warmup) return (lr * step) / Math.max(1, warmup);
  return (lr * Math.max(0, steps - step)) / Math.max(1, steps - warmup);
}
