import { NotificationType, NotificationType0, ProgressType, RequestType, RequestType0 } from 'vscode-jsonrpc';
import type { LossCurve, ProfileProgress, ProfileSettings } from '../prune/curve.ts';

/** Why a request failed, as the receiver shows it: a stable code and one sentence. Travels as the response error's `data`. */
export interface JobError {
  readonly code: string;
  readonly message: string;
}

/** What a job does now. `steps` of unknown length have `total` undefined. Sent by `jobProgress` under the request's token. */
export type JobProgress =
  | { readonly kind: 'model'; readonly what: string; readonly done: number; readonly total: number | undefined }
  | { readonly kind: 'data'; readonly done: number; readonly total: number | undefined }
  | { readonly kind: 'profile'; readonly progress: ProfileProgress }
  | { readonly kind: 'write'; readonly done: number; readonly total: number };

/** Where a job cuts: a count of layers, a percentage taken off, or the points that the loss curve shows. */
export type Depth =
  | { readonly kind: 'layers'; readonly layers: number }
  | { readonly kind: 'percent'; readonly percent: number }
  | { readonly kind: 'small' }
  | { readonly kind: 'large' };

export interface PruneModelParams {
  /** A folder, `.gguf` or `.safetensors` file, hub id, or the default model's name. */
  readonly model: string;
  /** A `.jsonl`(`.gz`) file or folder of triplets, or a workspace folder to mine. */
  readonly data: { readonly kind: 'triplets'; readonly path: string } | { readonly kind: 'workspace'; readonly path: string };
  readonly depths: readonly Depth[];
  /** Fields left out take their defaults. */
  readonly settings: Partial<ProfileSettings>;
  readonly progressToken: string;
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

export interface PruneModelResult {
  readonly curve: LossCurve;
  readonly checkpoints: readonly CheckpointSummary[];
  /** Which copy of the model was used, in a sentence. */
  readonly source: string;
}

/** Profiles a model on triplets and writes a checkpoint for every depth asked for. */
export const pruneModel = new RequestType<PruneModelParams, PruneModelResult, JobError>('prune/model');

export const jobProgress = new ProgressType<JobProgress>();

/** The checkpoints in the data home, damaged ones with their reason. */
export const listCheckpoints = new RequestType0<
  { readonly folder: string; readonly checkpoints: readonly CheckpointSummary[]; readonly damaged: readonly DamagedCheckpoint[] },
  JobError
>('checkpoints/list');

/** The worker says that it is up, which process it is, and which threads it uses. */
export const workerReady = new NotificationType<{ readonly pid: number; readonly threads: number }>('worker/ready');

/** Asks the worker to end once its requests have settled. */
export const shutdown = new NotificationType0('worker/shutdown');
