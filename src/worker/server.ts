import { Worker } from 'node:worker_threads';
import {
  createMessageConnection,
  IPCMessageReader,
  IPCMessageWriter,
  ResponseError,
  type CancellationToken,
  type MessageConnection,
  type ProgressType,
  type RequestHandler,
  type RequestHandler0,
  type RequestParam,
  type RequestType,
  type RequestType0,
} from 'vscode-jsonrpc/node';
import { describeError } from '../errors.ts';
import type { JobError } from '../protocol/job.ts';
import { shutdown, workerReady } from '../protocol/worker.ts';
import { JobQueue } from './queue.ts';
import type { WatchdogData } from './watchdog.ts';

/** JSON-RPC's number for all failures of ours; `data` holds the code that people and programs read. */
const jobFailed = -31_000;

const heartbeatMilliseconds = 250;

export interface ServerOptions {
  /** Threads that the engine may use; told to whoever started the worker. */
  readonly threads: number | undefined;
  /** The built watchdog thread. */
  readonly watchdog: URL;
}

/**
 * The worker's end of the connection: what features register their handlers with. Every failure leaves as a response
 * error whose `data` is a `JobError`.
 */
export class WorkerServer {
  private readonly connection: MessageConnection;
  private readonly queue = new JobQueue();
  private pending = 0;
  private ending = false;

  constructor(connection: MessageConnection) {
    this.connection = connection;
  }

  /** Answers a request at once, beside whatever job runs. */
  onRequest<R>(type: RequestType0<R, JobError>, handler: () => Promise<R>): void {
    this.connection.onRequest(type, (() => this.settle(handler)) as RequestHandler0<R, JobError>);
  }

  /** The same for a request with parameters. */
  onCall<P, R>(type: RequestType<P, R, JobError>, handler: (params: P) => Promise<R>): void {
    this.connection.onRequest(type, ((params: P) => this.settle(() => handler(params))) as RequestHandler<P, R, JobError>);
  }

  /**
   * Answers a request in its turn among the other jobs. `job` yields its progress, which goes out under the request's
   * token, and returns the result. Between two yields the process hears whether it was cancelled.
   */
  onJob<P extends { readonly progressToken: string }, V, R>(
    type: RequestType<P, R, JobError>,
    progress: ProgressType<V>,
    job: (params: P, signal: AbortSignal) => AsyncGenerator<V, R>,
  ): void {
    const drain = async (params: P, signal: AbortSignal): Promise<R> => {
      const steps = job(params, signal);
      for (;;) {
        const step = await steps.next();
        if (step.done) return step.value;
        await this.connection.sendProgress(progress, params.progressToken, step.value as RequestParam<V>);
        await eventLoopTurn();
      }
    };
    const handler = (params: P, token: CancellationToken): Promise<R> => {
      const signal = signalOf(token);
      return this.settle(() => this.queue.run(signal, () => drain(params, signal)));
    };
    this.connection.onRequest(type, handler as RequestHandler<P, R, JobError>);
  }

  /** Ends the process once the requests that are pending have settled. */
  end(): void {
    this.ending = true;
    if (this.pending === 0) process.exit(0);
  }

  private async settle<R>(answer: () => Promise<R>): Promise<R> {
    this.pending += 1;
    try {
      return await answer();
    } catch (error) {
      const described = describeError(error);
      if (described.code === 'INTERNAL') console.error(error);
      throw new ResponseError<JobError>(jobFailed, described.message, described);
    } finally {
      this.pending -= 1;
      // The response leaves first.
      if (this.ending && this.pending === 0) setImmediate(() => process.exit(0));
    }
  }
}

/** Serves this process's parent: starts the watchdog, lets `register` name the handlers, and says that it is ready. */
export async function serve(register: (server: WorkerServer) => void, options: ServerOptions): Promise<void> {
  startWatchdog(options.watchdog);
  const connection = createMessageConnection(new IPCMessageReader(process), new IPCMessageWriter(process), {
    error: console.error,
    warn: console.error,
    info: console.error,
    log: console.error,
  });
  const server = new WorkerServer(connection);
  register(server);
  connection.onNotification(shutdown, () => server.end());
  process.on('disconnect', () => process.exit(0));
  connection.listen();
  await connection.sendNotification(workerReady, { pid: process.pid, threads: options.threads });
}

function startWatchdog(url: URL): void {
  const heartbeat = new BigInt64Array(new SharedArrayBuffer(8));
  const beat = (): void => void Atomics.store(heartbeat, 0, BigInt(Date.now()));
  beat();
  setInterval(beat, heartbeatMilliseconds).unref();
  const controlFd = process.env['L3PRUNE_CONTROL_FD'];
  const data: WatchdogData = {
    parentPid: process.ppid,
    controlFd: controlFd === undefined ? undefined : Number(controlFd),
    heartbeat,
  };
  // A worker that could outlive its parent must not run at all.
  new Worker(url, { workerData: data, stdin: false }).on('error', (error) => {
    console.error('The watchdog thread failed:', error);
    process.exit(1);
  });
}

function signalOf(token: CancellationToken): AbortSignal {
  const controller = new AbortController();
  if (token.isCancellationRequested) controller.abort();
  token.onCancellationRequested(() => controller.abort());
  return controller.signal;
}

function eventLoopTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
