/**
 * The thread that never computes. The engine's `run()` stands on the main thread for up to seconds, in which the process
 * hears neither a cancel nor that its parent has gone; this thread does. It loads no native code, so that it can neither
 * crash with the engine nor wait for it.
 *
 * - It ends its own process when the parent is gone: at once where the control pipe closes, and within a second where only
 *   polling tells.
 * - It acknowledges a cancel while the main thread is inside a step, and says for how long it has been there.
 */
import { Socket } from 'node:net';
import { isMainThread, workerData } from 'node:worker_threads';
import { createMessageConnection, StreamMessageReader, StreamMessageWriter } from 'vscode-jsonrpc/node';
import { acknowledgeCancel } from '../protocol/worker.ts';

/** What the main thread hands over. */
export interface WatchdogData {
  readonly parentPid: number;
  /** The inherited descriptor of the control pipe; undefined where the process was started without one. */
  readonly controlFd: number | undefined;
  /** One cell: `Date.now()` of the main thread's last turn. */
  readonly heartbeat: BigInt64Array;
}

const pollMilliseconds = 500;

/** The main thread beats four times a second; up to this age it counts as free. */
const freeMilliseconds = 1000;

function endThisProcess(): void {
  process.kill(process.pid, 'SIGKILL');
}

/** On Windows the parent's id stays what it was, on Unix an orphan is given another parent: either test may tell. */
function parentIsGone(parentPid: number): boolean {
  if (process.ppid !== parentPid) return true;
  try {
    process.kill(parentPid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

function answerOn(controlFd: number, heartbeat: BigInt64Array): void {
  const pipe = new Socket({ fd: controlFd, readable: true, writable: true });
  pipe.on('error', endThisProcess);
  pipe.on('close', endThisProcess);
  const connection = createMessageConnection(new StreamMessageReader(pipe), new StreamMessageWriter(pipe));
  connection.onRequest(acknowledgeCancel, () => {
    const age = Date.now() - Number(Atomics.load(heartbeat, 0));
    return { secondsInStep: age <= freeMilliseconds ? 0 : age / 1000 };
  });
  connection.listen();
}

function watch({ parentPid, controlFd, heartbeat }: WatchdogData): void {
  if (controlFd !== undefined) answerOn(controlFd, heartbeat);
  setInterval(() => {
    if (parentIsGone(parentPid)) endThisProcess();
  }, pollMilliseconds);
}

if (!isMainThread) watch(workerData as WatchdogData);
