import { NotificationType, NotificationType0, RequestType0 } from 'vscode-jsonrpc';
import type { JobError } from './job.ts';

/** The worker says that it is up, which process it is, and which threads it uses (undefined: as many as the engine likes). */
export const workerReady = new NotificationType<{ readonly pid: number; readonly threads: number | undefined }>('worker/ready');

/** Asks the worker to end once its requests have settled. */
export const shutdown = new NotificationType0('worker/shutdown');

/** What the worker's control thread knows about its main thread. */
export interface CancelAcknowledgement {
  /** How long the main thread has stood inside one step, in seconds; 0 when it is free to obey at once. */
  readonly secondsInStep: number;
}

/**
 * Says that a cancel was heard. It is answered on a pipe of its own by a thread that never computes, because the worker's
 * main thread stands still inside the engine's `run()`; the cancel itself travels as JSON-RPC's own `$/cancelRequest`.
 */
export const acknowledgeCancel = new RequestType0<CancelAcknowledgement, JobError>('control/acknowledgeCancel');
