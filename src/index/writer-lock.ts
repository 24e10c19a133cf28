import { readFile, rm, stat, utimes } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { errors, L3PruneError } from '../errors.ts';
import { acquireLock } from '../lock.ts';
import type { IndexLocation } from './location.ts';

const heartbeatMilliseconds = 2000;
/** A holder that has not been heard of for so long hangs, or runs on a machine that shares the disk and is gone. */
export const staleMilliseconds = 30_000;

/** The right to write a workspace's index. */
export interface WriterLock {
  /** Whether another process has taken it over, because this one was not heard of for too long. */
  isLost(): Promise<boolean>;
  release(): Promise<void>;
}

/**
 * Takes the right to write an index, which one process has at a time: the others read. It shows that it lives by a
 * heartbeat, so that one that hangs does not keep an index from ever being brought up to date.
 *
 * @throws BUSY where another process holds it, WRITE_FAILED
 */
export async function acquireWriterLock({ lock }: Pick<IndexLocation, 'lock'>): Promise<WriterLock> {
  const acquire = (): Promise<() => Promise<void>> =>
    acquireLock(lock, (pid) => errors.busy(`Another process (${pid}) keeps this workspace's index up to date: search it, or stop that one first.`));
  const release = await acquire().catch(async (error: unknown) => {
    if (!(error instanceof L3PruneError && error.code === 'BUSY' && (await isStale(lock)))) throw error;
    await rm(lock, { force: true });
    return acquire();
  });
  const own = await readFile(lock, 'utf8');
  const isLost = async (): Promise<boolean> => (await readFile(lock, 'utf8').catch(() => '')) !== own;
  const beat = setInterval(() => void touch(lock, isLost), heartbeatMilliseconds);
  beat.unref();
  return {
    isLost,
    release: async () => {
      clearInterval(beat);
      await release();
    },
  };
}

/** Errors: BUSY where the lock is lost. */
export async function checkHeld(lock: WriterLock): Promise<void> {
  if (await lock.isLost()) throw errors.busy("Another process has taken over this workspace's index, because this one did not answer: run it again.");
}

/** One that is lost is another's, who has to show by itself that it lives. */
async function touch(lock: string, isLost: () => Promise<boolean>): Promise<void> {
  const now = new Date();
  if (!(await isLost())) await utimes(lock, now, now).catch(() => undefined);
}

/** Whether its holder is not heard of: also while it is looked at, as after a sleep of the machine nobody has been. */
async function isStale(lock: string): Promise<boolean> {
  const before = await lastBeat(lock);
  if (before === undefined || Date.now() - before < staleMilliseconds) return false;
  await setTimeout(1.5 * heartbeatMilliseconds);
  return (await lastBeat(lock)) === before;
}

async function lastBeat(lock: string): Promise<number | undefined> {
  return (await stat(lock).catch(() => undefined))?.mtimeMs;
}
