import { setImmediate } from 'node:timers/promises';
import { throwIfCancelled } from '../errors.ts';

/** Runs a computation to its end and lets the event loop turn between its steps, so that a cancel is heard. Throws CANCELLED. */
export async function runSteps<R>(steps: Generator<unknown, R>, signal?: AbortSignal): Promise<R> {
  for (;;) {
    throwIfCancelled(signal);
    const step = steps.next();
    if (step.done) return step.value;
    await setImmediate();
  }
}
