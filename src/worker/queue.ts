import { CancelledError } from '../errors.ts';

/** Runs jobs one at a time, in the order in which they came: two at once would fight for the same cores and memory. */
export class JobQueue {
  private last: Promise<unknown> = Promise.resolve();

  /**
   * Runs `job` when those before it have settled, however they did. A job that is cancelled while it waits never starts,
   * and its caller does not wait for the others to learn that.
   */
  run<R>(signal: AbortSignal, job: () => Promise<R>): Promise<R> {
    const turn = this.last.then(() => {
      if (signal.aborted) throw new CancelledError();
      return job();
    });
    let started = false;
    this.last.then(() => (started = true));
    this.last = turn.catch(() => undefined);
    return new Promise<R>((resolve, reject) => {
      const abandon = (): void => {
        if (!started) reject(new CancelledError());
      };
      if (signal.aborted) abandon();
      signal.addEventListener('abort', abandon, { once: true });
      turn.then(resolve, reject).finally(() => signal.removeEventListener('abort', abandon));
    });
  }
}
