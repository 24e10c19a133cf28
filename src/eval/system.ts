import type { Calibration } from '../encoder/calibration.ts';
import type { Encoder } from '../encoder/encoder.ts';
import type { CheckpointEncoderSettings } from '../prune/manifest.ts';
import { pairedBootstrap, type Interval } from './bootstrap.ts';

/** What is done with an encoder's vectors: nothing, or its calibration; with a ranking by them, whether BM25's is fused in. */
export type Variant = 'bm25' | 'raw' | 'calibrated' | 'raw+bm25' | 'calibrated+bm25';

/** An encoder under evaluation, by the name its rows carry. */
export interface Contestant {
  readonly name: string;
  readonly encoder: Encoder;
  readonly settings: CheckpointEncoderSettings;
  /** What the checkpoint keeps; where it keeps none, the mean of a task's own texts is taken off. */
  readonly calibration: Calibration | undefined;
}

/** One way of doing a task, with how well it did. */
export interface SystemScore {
  /** How it is called in a table. */
  readonly system: string;
  /** The contestant's name; undefined for BM25. */
  readonly model: string | undefined;
  readonly variant: Variant;
  /** By name; the task's kind says which one counts. */
  readonly metrics: Readonly<Record<string, number>>;
  /**
   * Of the metrics that are means over queries, test texts or sets, what each of them has, in the task's order: what a
   * bootstrap resamples.
   */
  readonly each: Readonly<Record<string, readonly number[]>>;
}

/** How far an evaluation is: `done` of `total`, texts or steps of what is named. */
export interface EvaluateProgress {
  readonly what: string;
  readonly done: number;
  readonly total: number;
}

/** By how much one system is better than another on the same items, a metric each, with 95 % intervals. */
export type Differences = Readonly<Record<string, Interval>>;

/** Compares two systems on the metrics that both have item by item. */
export function compare(a: SystemScore, b: SystemScore, seed: number): Differences {
  const shared = Object.entries(a.each).filter(([metric]) => b.each[metric] !== undefined);
  return Object.fromEntries(shared.map(([metric, values]) => [metric, pairedBootstrap(values, b.each[metric]!, seed)]));
}

/** How a variant of a model is called in a table: "small, 8 layers, calibrated + BM25". */
export function systemName(model: string | undefined, variant: Variant): string {
  return model === undefined ? suffixes[variant] : `${model}${suffixes[variant]}`;
}

const suffixes: Readonly<Record<Variant, string>> = {
  bm25: 'BM25',
  raw: '',
  calibrated: ', calibrated',
  'raw+bm25': ' + BM25',
  'calibrated+bm25': ', calibrated + BM25',
};
