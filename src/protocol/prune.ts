import { ProgressType, RequestType, RequestType0 } from 'vscode-jsonrpc';
import type { CheckpointSummary, DamagedCheckpoint, JobProgress, PruneJob, PruneJobResult } from '../prune/job.ts';
import type { JobError } from './job.ts';

export type { LayerLoss, LossCurve, ProfileProgress, ProfileSettings } from '../prune/curve.ts';
export type { CheckpointSummary, DamagedCheckpoint, Depth, JobProgress, PruneJob, PruneJobResult } from '../prune/job.ts';

/** A prune job; its progress travels by `jobProgress` under this token. */
export interface PruneModelParams extends PruneJob {
  readonly progressToken: string;
}

/** Profiles a model on triplets and writes a checkpoint for every depth asked for. */
export const pruneModel = new RequestType<PruneModelParams, PruneJobResult, JobError>('prune/model');

export const jobProgress = new ProgressType<JobProgress>();

/** What a folder of checkpoints holds, damaged ones with their reason. */
export interface CheckpointList {
  readonly folder: string;
  readonly checkpoints: readonly CheckpointSummary[];
  readonly damaged: readonly DamagedCheckpoint[];
}

/** The checkpoints in the data home. */
export const listCheckpoints = new RequestType0<CheckpointList, JobError>('checkpoints/list');
