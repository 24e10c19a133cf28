import { readFile, rm, stat, utimes } from 'node:fs/promises';
import { errors } from '../errors.ts';
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
  await removeStale(lock);
  const release = await acquireLock(lock, (pid) => errors.busy(`Another process (${pid}) keeps this workspace's index up to date: search it, or stop that one first.`));
  const own = await readFile(lock, 'utf8');
  const beat = setInterval(() => {
    const now = new Date();
    utimes(lock, now, now).catch(() => undefined);
  }, heartbeatMilliseconds);
  beat.unref();
  return {
    isLost: async () => (await readFile(lock, 'utf8').catch(() => '')) !== own,
    release: async () => {
      clearInterval(beat);
      await release();
    },
  };
}

async function removeStale(lock: string): Promise<void> {
  const found = await stat(lock).catch(() => undefined);
  if (found !== undefined && Date.now() - found.mtimeMs > staleMilliseconds) await rm(lock, { force: true });
}
