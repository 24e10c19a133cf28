import { NotificationType, RequestType, RequestType0 } from 'vscode-jsonrpc';
import type { JobError } from './job.ts';
import type { CheckpointSummary, LayerLoss, LossCurve } from './prune.ts';

export type { CheckpointSummary, LayerLoss, LossCurve } from './prune.ts';

/** Where a run stands. `interrupted`: the window was reloaded while it ran. */
export type RunStatus = 'running' | 'cancelling' | 'done' | 'cancelled' | 'failed' | 'interrupted';

/** Everything the panel shows of one prune run. */
export interface RunView {
  readonly model: string;
  readonly data: string;
  readonly status: RunStatus;
  /** What it does now, or how it ended, in a sentence. */
  readonly message: string;
  /** Share of the profile that is done, 0 to 1; undefined while the length of the work is unknown. Never falls. */
  readonly fraction: number | undefined;
  /** Never grows. */
  readonly secondsLeft: number | undefined;
  /** The curve over the batches done so far. */
  readonly layers: readonly LayerLoss[];
  /** The finished curve, with its cuts at both scales. */
  readonly curve: LossCurve | undefined;
  readonly checkpoints: readonly CheckpointSummary[];
  readonly error: JobError | undefined;
}

/** The whole of what the panel shows: always sent complete, for what is sent to a hidden panel is lost. */
export interface PanelState {
  /** Of this type's shape: a state that an older version left in the window is dropped. */
  readonly version: 1;
  readonly run: RunView | undefined;
}

/** Extension to panel: the state has changed. */
export const panelState = new NotificationType<PanelState>('panel/state');

/** Panel to extension: the panel is drawn and asks for the state. */
export const panelReady = new RequestType0<PanelState, JobError>('panel/ready');

/** Cancels the run; once more, and its process is ended at once. */
export const cancelRun = new RequestType0<null, JobError>('panel/cancel');

/** Starts the questions of Prune Model. */
export const startRun = new RequestType0<null, JobError>('panel/start');

export const openLog = new RequestType0<null, JobError>('panel/openLog');

/** Copies a checkpoint's path to the clipboard. */
export const copyPath = new RequestType<{ readonly path: string }, null, JobError>('panel/copyPath');
