import type { CalibrationKind } from '../encoder/calibration.ts';

/** One layer's contrastive loss over the sampled batches. */
export interface LayerLoss {
  /** 1-based count of layers kept: the value is what the model pruned to this many layers gives. */
  readonly layer: number;
  /** Mean of the batch losses, in nats. */
  readonly loss: number;
  /** Standard error of that mean over the batches. */
  readonly stderr: number;
}

/** Where to cut at one scale (paper section 3.2; 1-based layer counts, first of ties). */
export interface Cut {
  readonly small: number;
  readonly large: number;
}

/** Share of bootstrap resamples of the batches in which each layer is the argmin of its half: `[layer, probability]`, most likely first. */
export interface CutConfidence {
  readonly small: ReadonlyArray<readonly [layer: number, probability: number]>;
  readonly large: ReadonlyArray<readonly [layer: number, probability: number]>;
}

/** Losses by layer and the cuts they show. `layers`, `small` and `large` are at the scale of the profile's settings. */
export interface CutCurve extends Cut {
  readonly layers: readonly LayerLoss[];
  readonly confidence: CutConfidence;
  /** The same embeddings at each scale, by scale as text ("20", "50"). */
  readonly scales: Readonly<Record<string, Cut & { readonly losses: readonly number[]; readonly stderr: readonly number[] }>>;
}

/** What a layerwise profile yields. */
export interface LossCurve extends CutCurve {
  /** The same embeddings calibrated in this way, as measured on other batches; not in curves of earlier versions. */
  readonly calibrated?: (CutCurve & { readonly calibration: CalibrationKind }) | undefined;
  readonly warnings: readonly string[];
  readonly settings: ProfileSettings;
  readonly model: { readonly name: string; readonly fingerprint: string; readonly layers: number };
  readonly data: { readonly fingerprint: string; readonly triplets: number; readonly skipped: number };
  /** Real tokens computed, padding left out. */
  readonly tokens: number;
  /** Real tokens over the places that attention was computed for, 0 to 1. */
  readonly fill: number;
  readonly seconds: number;
  /** Largest resident anonymous memory of the process, in bytes. */
  readonly peakBytes: number;
}

export interface ProfileSettings {
  readonly batchSize: number;
  readonly batches: number;
  readonly maxLength: number;
  readonly attention: 'causal' | 'bidirectional';
  readonly pooling: 'weighted_mean' | 'mean' | 'last_token' | 'first_token';
  readonly separator: string;
  readonly scale: number;
  readonly seed: number;
  readonly order: 'shuffled' | 'file';
}

/** One step of a running profile. `layers` is the curve over the batches done so far. */
export interface ProfileProgress {
  readonly batchesDone: number;
  readonly batches: number;
  readonly textsDone: number;
  readonly texts: number;
  readonly tokensDone: number;
  readonly secondsElapsed: number;
  /** Never grows. */
  readonly secondsLeft: number | undefined;
  readonly layers: readonly LayerLoss[];
}
