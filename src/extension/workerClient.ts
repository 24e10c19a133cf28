import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  CancellationTokenSource,
  type ProgressType,
  type RequestParam,
  type RequestType,
  type RequestType0,
} from 'vscode-jsonrpc/node';
import { CancelledError, errors } from '../errors.ts';
import type { JobError } from '../protocol/job.ts';
import type { CancelAcknowledgement } from '../protocol/worker.ts';
import { WorkerProcess, type WorkerLog } from './workerProcess.ts';

export interface WorkerClientOptions {
  /** The built worker (`dist/worker.mjs`). */
  readonly entry: string;
  /** Variables for the worker, asked for at each start so that a changed setting counts from then on. */
  readonly env: () => Readonly<Record<string, string>>;
  readonly log: WorkerLog;
  /** A worker that nobody has asked anything for this long is ended, and its memory freed. */
  readonly idleMilliseconds?: number;
  /** How long a worker may take to say that it is ready. */
  readonly startMilliseconds?: number;
  /** How long to wait before starting another after so many failures in a row. */
  readonly backOff?: (failures: number) => number;
}

/** A request that runs for long enough to be watched and cancelled. */
export interface RunningJob<R> {
  readonly result: Promise<R>;
  /**
   * Asks for the end of the job, and resolves within a second with what the worker's control thread says: how long the step
   * that has to end first has run, or undefined when even that thread is silent. Called once more, it ends the process; the
   * job then rejects as cancelled and has lost the work since its last save.
   */
  cancel(): Promise<CancelAcknowledgement | undefined>;
}

/**
 * The extension's way to the worker: starts the process on the first request, again with back-off after a crash, and ends it
 * when it is idle. Every request settles: with its result, an `L3PruneError`, or `CancelledError`.
 */
export class WorkerClient {
  private readonly options: Required<WorkerClientOptions>;
  private process: WorkerProcess | undefined;
  private started: Promise<WorkerProcess> | undefined;
  private failures = 0;
  private pending = 0;
  private idle: NodeJS.Timeout | undefined;
  private stale = false;
  private disposed = false;

  constructor(options: WorkerClientOptions) {
    this.options = { idleMilliseconds: 300_000, startMilliseconds: 30_000, backOff: doublingBackOff, ...options };
  }

  /** Sends a request that is answered beside whatever job runs. */
  request<R>(type: RequestType0<R, JobError>): Promise<R> {
    return this.use((process) => process.settle((connection) => connection.sendRequest(type)));
  }

  /** The same for a request with parameters. */
  call<P, R>(type: RequestType<P, R, JobError>, params: P): Promise<R> {
    return this.use((process) => process.settle((connection) => connection.sendRequest(type, params as RequestParam<P>)));
  }

  /** Starts a job, which takes its turn after those before it. */
  startJob<P, V, R>(
    type: RequestType<P & { readonly progressToken: string }, R, JobError>,
    params: P,
    progress: { readonly type: ProgressType<V>; readonly onProgress: (value: V) => void },
  ): RunningJob<R> {
    const source = new CancellationTokenSource();
    const progressToken = randomUUID();
    const message = { ...params, progressToken } as RequestParam<P & { readonly progressToken: string }>;
    let worker: WorkerProcess | undefined;
    const result = this.use(async (process) => {
      worker = process;
      if (source.token.isCancellationRequested) throw new CancelledError();
      const listener = process.connection.onProgress(progress.type, progressToken, progress.onProgress);
      try {
        return await process.settle((connection) => connection.sendRequest(type, message, source.token));
      } finally {
        listener.dispose();
      }
    }).catch((error: unknown) => {
      // A job's own sentence says what has been kept; one that was ended has none.
      throw source.token.isCancellationRequested && !(error instanceof CancelledError) ? new CancelledError() : error;
    });
    const cancelledBeforeItStarted = new Promise<never>((_resolve, reject) => {
      source.token.onCancellationRequested(() => {
        if (worker === undefined) reject(new CancelledError());
      });
    });
    const cancel = async (): Promise<CancelAcknowledgement | undefined> => {
      const again = source.token.isCancellationRequested;
      source.cancel();
      if (worker === undefined) return { secondsInStep: 0 };
      if (!again) return worker.acknowledgeCancel();
      this.forget(worker);
      worker.kill('The worker process was stopped.');
      return undefined;
    };
    return { result: Promise.race([result, cancelledBeforeItStarted]), cancel };
  }

  /** Lets the next request have a new process, for settings that only a start reads. */
  restart(): void {
    this.stale = true;
    this.endWhenIdle();
  }

  /** Ends the process at once. */
  dispose(): void {
    this.disposed = true;
    clearTimeout(this.idle);
    this.process?.kill('The window was closed.');
  }

  private async use<R>(work: (process: WorkerProcess) => Promise<R>): Promise<R> {
    this.pending += 1;
    clearTimeout(this.idle);
    try {
      this.started ??= this.start();
      const result = await work(await this.started);
      this.failures = 0;
      return result;
    } finally {
      this.pending -= 1;
      this.endWhenIdle();
    }
  }

  private async start(): Promise<WorkerProcess> {
    if (this.failures > 0) await delay(this.options.backOff(this.failures), undefined, { ref: false });
    if (this.disposed) throw errors.workerGone('The window was closed.');
    this.stale = false;
    const { entry, env, log, startMilliseconds } = this.options;
    const process = new WorkerProcess({ entry, env: env(), log, startMilliseconds });
    this.process = process;
    void process.gone.then((reason) => {
      if (this.process !== process) return;
      this.forget(process);
      this.failures += 1;
      log.warn(reason.message);
    });
    await process.start();
    return process;
  }

  /** What is asked for from here on goes to another process; the end of this one is no failure. */
  private forget(process: WorkerProcess): void {
    if (this.process !== process) return;
    this.process = undefined;
    this.started = undefined;
  }

  private endWhenIdle(): void {
    const { process } = this;
    if (this.pending > 0 || process === undefined) return;
    clearTimeout(this.idle);
    this.idle = setTimeout(
      () => {
        this.forget(process);
        void process.shutdown();
      },
      this.stale ? 0 : this.options.idleMilliseconds,
    );
    this.idle.unref();
  }
}

/** A quarter of a second after the first failure, doubled with each, half a minute at most. */
function doublingBackOff(failures: number): number {
  return Math.min(30_000, 250 * 2 ** (failures - 1));
}
