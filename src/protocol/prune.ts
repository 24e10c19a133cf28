import { NotificationType, NotificationType0, ProgressType, RequestType, RequestType0 } from 'vscode-jsonrpc';
import type { CheckpointSummary, DamagedCheckpoint, JobProgress, PruneJob, PruneJobResult } from '../prune/job.ts';

export type { LayerLoss, LossCurve, ProfileProgress } from '../prune/curve.ts';
export type { CheckpointSummary, DamagedCheckpoint, Depth, JobProgress, PruneJob, PruneJobResult } from '../prune/job.ts';

/** Why a request failed, as the receiver shows it: a stable code and one sentence. Travels as the response error's `data`. */
export interface JobError {
  readonly code: string;
  readonly message: string;
}

/** A prune job; its progress travels by `jobProgress` under this token. */
export interface PruneModelParams extends PruneJob {
  readonly progressToken: string;
}

/** Profiles a model on triplets and writes a checkpoint for every depth asked for. */
export const pruneModel = new RequestType<PruneModelParams, PruneJobResult, JobError>('prune/model');

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
