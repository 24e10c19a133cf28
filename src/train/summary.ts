import { fingerprintAdapter } from '../encoder/adapted.ts';
import type { Lora } from '../models/types.ts';
import { emptyWatch, lossWindow, mean, watchLoss } from './divergence.ts';
import type { StepMetrics } from './metrics.ts';
import type { TrainingRecord } from './record.ts';
import type { RunDescription } from './run-folder.ts';
import type { FinishedRun } from './train.ts';

/** Points of the curve in a manifest; `metrics.jsonl` has every step. */
const mostPoints = 100;

/** What the manifest of its checkpoint keeps of a run. */
export function recordOf({ step, steps, history, metrics }: FinishedRun, { settings, adapter, data, evaluation }: RunDescription): TrainingRecord {
  const losses = metrics.map(({ loss }) => loss);
  // Of a short run not so many that the first and the last are the same.
  const window = Math.min(lossWindow, Math.ceil(losses.length / 4));
  const lowest = metrics.reduce(watchLoss, emptyWatch).lowest ?? mean(losses);
  const sum = (of: (line: StepMetrics) => number): number => metrics.reduce((total, line) => total + of(line), 0);
  const { before, best, last } = history.evaluation ?? {};
  return {
    settings,
    adapter,
    data,
    steps,
    step,
    loss: { first: mean(losses.slice(0, window)), last: mean(losses.slice(-window)), lowest, window },
    curve: curveOf(metrics),
    evaluation: evaluation === null || before === undefined || !best || !last ? null : { metric: evaluation.metric, fingerprint: evaluation.fingerprint, before, best, last },
    tokens: sum(({ tokens }) => tokens),
    seconds: sum(({ seconds }) => seconds),
  };
}

/** Fingerprint of the adapter that a run begins with; null for a new one. */
export function adapterFingerprint(start: Lora | undefined): string | null {
  return start === undefined ? null : fingerprintAdapter(start);
}

function curveOf(metrics: readonly StepMetrics[]): [number, number][] {
  const size = Math.ceil(metrics.length / mostPoints);
  const points: [number, number][] = [];
  for (let start = 0; start < metrics.length; start += size) {
    const part = metrics.slice(start, start + size);
    points.push([part.at(-1)!.step, mean(part.map(({ loss }) => loss))]);
  }
  return points;
}
