import { fork, type ChildProcess } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { createInterface } from 'node:readline';
import {
  AbstractMessageReader,
  ConnectionError,
  createMessageConnection,
  ErrorCodes,
  IPCMessageReader,
  IPCMessageWriter,
  Message,
  ResponseError,
  StreamMessageReader,
  StreamMessageWriter,
  type DataCallback,
  type Disposable,
  type MessageConnection,
} from 'vscode-jsonrpc/node';
import { errors, reviveError, type L3PruneError } from '../errors.ts';
import type { JobError } from '../protocol/job.ts';
import { acknowledgeCancel, shutdown, workerReady, type CancelAcknowledgement } from '../protocol/worker.ts';

/** Where the worker's own output and the client's remarks go. */
export interface WorkerLog {
  info(message: string): void;
  warn(message: string): void;
}

export interface WorkerProcessOptions {
  /** The built worker (`dist/worker.mjs`). */
  readonly entry: string;
  /** Variables set for the worker beside the host's own. */
  readonly env: Readonly<Record<string, string>>;
  readonly log: WorkerLog;
  /** How long the worker may take to say that it is ready. */
  readonly startMilliseconds: number;
}

/** The descriptor of the control pipe in the worker: the fourth after standard input, output, error and the IPC channel. */
const controlFd = 4;

/** A control thread that has not answered for this long is stopped as a whole process, and will not answer. */
const controlMilliseconds = 900;

const connectionLost: ReadonlySet<number> = new Set([ErrorCodes.PendingResponseRejected, ErrorCodes.MessageWriteError]);

/** One worker process, from its start to its end. It is never reused: when it is gone, the client starts another. */
export class WorkerProcess {
  readonly connection: MessageConnection;
  /** Settles (never rejects) when the process is of no more use, with the reason. */
  readonly gone: Promise<L3PruneError>;
  private readonly child: ChildProcess;
  private readonly control: MessageConnection;
  private readonly options: WorkerProcessOptions;
  private end: (reason: L3PruneError) => void = () => undefined;

  constructor(options: WorkerProcessOptions) {
    this.options = options;
    this.child = fork(options.entry, [], {
      execPath: process.execPath,
      execArgv: [],
      env: { ...process.env, ...options.env, ELECTRON_RUN_AS_NODE: '1', L3PRUNE_CONTROL_FD: String(controlFd) },
      // `overlapped` is `pipe` but on Windows, where a plain pipe cannot be read and written at the same time.
      stdio: ['ignore', 'pipe', 'pipe', 'ipc', 'overlapped'],
    });
    this.gone = new Promise((resolve) => {
      this.end = resolve;
    });
    this.logOutput();
    this.child.on('error', (error) => this.end(errors.workerGone(`The worker process could not be started: ${error.message}.`, error)));
    this.child.on('exit', (code, signal) => this.end(errors.workerGone(describeExit(code, signal))));

    const silent = { error: options.log.warn, warn: options.log.warn, info: options.log.info, log: options.log.info };
    this.connection = createMessageConnection(new CheckedReader(this.child), new IPCMessageWriter(this.child), silent);
    this.connection.onError(([error]) => this.end(errors.workerGone(`The worker process sent what is no message of ours: ${error.message}.`)));

    const pipe = this.child.stdio[controlFd] as Duplex;
    // A pipe that breaks says no more than the exit does, which is reported above.
    pipe.on('error', () => undefined);
    this.control = createMessageConnection(new StreamMessageReader(pipe), new StreamMessageWriter(pipe), silent);
    this.control.listen();

    void this.gone.then(() => this.close());
  }

  /** Resolves when the worker says that it is ready; rejects with the reason when it never does. */
  async start(): Promise<void> {
    const ready = new Promise<void>((resolve) => {
      this.connection.onNotification(workerReady, ({ pid, threads }) => {
        this.options.log.info(`Worker ${pid} is ready${threads === undefined ? '' : `, ${threads} threads`}.`);
        resolve();
      });
    });
    this.connection.listen();
    const seconds = this.options.startMilliseconds / 1000;
    const timer = setTimeout(
      () => this.end(errors.workerGone(`The worker process did not start within ${seconds} s.`)),
      this.options.startMilliseconds,
    );
    const failed = await Promise.race([ready, this.gone]);
    clearTimeout(timer);
    if (failed) throw failed;
  }

  /**
   * Settles as a request sent over `connection` does: with its result, with the error that the worker described, or with the
   * reason why the process is gone, should that come first.
   */
  async settle<R>(send: (connection: MessageConnection) => Promise<R>): Promise<R> {
    try {
      return await Promise.race([send(this.connection), this.gone.then((reason) => Promise.reject(reason))]);
    } catch (error) {
      if (error instanceof ResponseError && isJobError(error.data)) throw reviveError(error.data);
      // The connection's own complaints (closed, disposed, cannot write) only ever mean that the process is going.
      if (error instanceof ConnectionError || (error instanceof ResponseError && connectionLost.has(error.code))) throw await this.gone;
      throw error;
    }
  }

  /** Asks the control thread whether the worker lives; undefined when even that does not answer in time. */
  async acknowledgeCancel(): Promise<CancelAcknowledgement | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), controlMilliseconds);
    });
    try {
      return await Promise.race([this.control.sendRequest(acknowledgeCancel), late]);
    } catch {
      // The process ended meanwhile; its requests say so themselves.
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Asks the process to end when its requests have settled. */
  async shutdown(): Promise<void> {
    await this.connection.sendNotification(shutdown);
    await this.gone;
  }

  /** Ends the process now, wherever it is; what is pending rejects with `reason`. */
  kill(reason: string): void {
    this.end(errors.workerGone(reason));
  }

  private close(): void {
    this.child.kill('SIGKILL');
    this.connection.dispose();
    this.control.dispose();
  }

  private logOutput(): void {
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => this.options.log.warn(`worker: ${line}`));
    }
  }
}

function isJobError(data: unknown): data is JobError {
  const error = data as Partial<JobError> | null | undefined;
  return typeof error?.code === 'string' && typeof error.message === 'string';
}

function describeExit(code: number | null, signal: NodeJS.Signals | null): string {
  return signal === null
    ? `The worker process ended with exit code ${code}; the log may say why.`
    : `The worker process was ended by ${signal}; if memory ran out, choose a smaller model or batch.`;
}

/** Reads the worker's IPC channel, and reports as an error what is not JSON-RPC instead of ignoring it. */
class CheckedReader extends AbstractMessageReader {
  private readonly inner: IPCMessageReader;

  constructor(child: ChildProcess) {
    super();
    this.inner = new IPCMessageReader(child);
    this.inner.onError((error) => this.fireError(error));
    this.inner.onClose(() => this.fireClose());
  }

  override listen(callback: DataCallback): Disposable {
    return this.inner.listen((message: Message | null | undefined) => {
      if (Message.isRequest(message as Message) || Message.isNotification(message as Message) || Message.isResponse(message as Message)) {
        callback(message as Message);
      } else {
        this.fireError(new Error(JSON.stringify(message)?.slice(0, 80) ?? String(message)));
      }
    });
  }
}
