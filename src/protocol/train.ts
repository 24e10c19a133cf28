import { ProgressType, RequestType } from 'vscode-jsonrpc';
import type { TrainJob, TrainProgress, TrainResult } from '../train/job.ts';
import type { JobError } from './job.ts';

export type { TrainedCheckpoint, TrainJob, TrainProgress, TrainResult } from '../train/job.ts';

/** A training; its progress travels by `trainProgress` under this token. */
export interface TrainModelParams extends TrainJob {
  readonly progressToken: string;
}

/** Trains a model at every depth asked for, and leaves a checkpoint folder each; what is cancelled goes on with `resume`. */
export const trainModel = new RequestType<TrainModelParams, TrainResult, JobError>('train/model');

export const trainProgress = new ProgressType<TrainProgress>();
