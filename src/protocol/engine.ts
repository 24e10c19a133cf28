import { ProgressType, RequestType } from 'vscode-jsonrpc';
import type { EngineManifest, TensorFlowVariant } from '../engine/tensorflow/location.ts';
import type { ByteProgress } from '../models/types.ts';
import type { JobError } from './job.ts';

export type { TensorFlowVariant } from '../engine/tensorflow/location.ts';
export type { ByteProgress } from '../models/types.ts';

/** The installation of TensorFlow; its progress travels by `engineProgress` under this token. */
export interface InstallTensorFlowParams {
  readonly variant: TensorFlowVariant;
  readonly progressToken: string;
}

/** What was installed, and where. */
export interface InstalledTensorFlow extends EngineManifest {
  readonly directory: string;
}

/** Installs the TensorFlow engine into the data home; one that is there and works is left as it is. */
export const installTensorFlow = new RequestType<InstallTensorFlowParams, InstalledTensorFlow, JobError>('engine/installTensorFlow');

export const engineProgress = new ProgressType<ByteProgress>();

/** Removes it from there; the answer is the folder that was removed. A job, so that it is not taken from under another. */
export const removeTensorFlow = new RequestType<{ readonly progressToken: string }, string, JobError>('engine/removeTensorFlow');
