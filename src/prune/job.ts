import type { LossCurve, ProfileProgress, ProfileSettings } from './curve.ts';

/** What a job does now. `steps` of unknown length have `total` undefined. */
export type JobProgress =
  | { readonly kind: 'model'; readonly what: string; readonly done: number; readonly total: number | undefined }
  | { readonly kind: 'data'; readonly done: number; readonly total: number | undefined }
  | { readonly kind: 'profile'; readonly progress: ProfileProgress }
  | { readonly kind: 'calibrate'; readonly layers: number; readonly done: number; readonly total: number }
  | { readonly kind: 'write'; readonly done: number; readonly total: number };

/** Where a job cuts: a count of layers, a percentage taken off, or the points that the loss curve shows. */
export type Depth =
  | { readonly kind: 'layers'; readonly layers: number }
  | { readonly kind: 'percent'; readonly percent: number }
  | { readonly kind: 'small' }
  | { readonly kind: 'large' };

export interface PruneJob {
  /** A folder, `.gguf` or `.safetensors` file, hub id, or the default model's name. */
  readonly model: string;
  /** A `.jsonl`(`.gz`) file or folder of triplets, or a workspace folder to mine. */
  readonly data: { readonly kind: 'triplets'; readonly path: string } | { readonly kind: 'workspace'; readonly path: string };
  readonly depths: readonly Depth[];
  /** Fields left out take their defaults. */
  readonly settings: Partial<ProfileSettings>;
}

export interface CheckpointSummary {
  readonly path: string;
  readonly name: string;
  readonly baseModel: string;
  readonly layersKept: number;
  readonly layersOfBase: number;
  readonly parameters: number;
  readonly bytes: number;
  readonly created: string;
}

/** A folder in the checkpoints folder that cannot be opened, with the sentence that says why. */
export interface DamagedCheckpoint {
  readonly path: string;
  readonly reason: string;
}

export interface PruneJobResult {
  readonly curve: LossCurve;
  readonly checkpoints: readonly CheckpointSummary[];
  /** Which copy of the model was used, in a sentence. */
  readonly source: string;
}
