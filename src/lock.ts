import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errors, type L3PruneError } from './errors.ts';
import { isAlive, reason } from './files.ts';

/**
 * Does work while a lock file stands that names this process; one that a killed process left is taken over. Throws what
 * `busy` makes of the process that holds it, WRITE_FAILED, or what the work throws.
 */
export async function withLock<R>(path: string, busy: (pid: number) => L3PruneError, work: () => Promise<R>): Promise<R> {
  const release = await acquireLock(path, busy);
  try {
    return await work();
  } finally {
    await release();
  }
}

/** Makes the lock file of `withLock` and gives what removes it. Throws what `busy` makes, or WRITE_FAILED. */
export async function acquireLock(path: string, busy: (pid: number) => L3PruneError): Promise<() => Promise<void>> {
  try {
    await mkdir(dirname(path), { recursive: true });
    for (;;) {
      const isOurs = await writeFile(path, String(process.pid), { flag: 'wx' }).then(() => true, whereItExists);
      if (isOurs) return () => release(path);
      const pid = await holder(path);
      if (pid > 0 && isAlive(pid)) throw busy(pid);
      await rm(path, { force: true });
    }
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) throw errors.writeFailed(`${path} cannot be written: ${reason(error)}.`, error);
    throw error;
  }
}

/** Where the folder has been replaced meanwhile, the lock in it may be another's. */
async function release(path: string): Promise<void> {
  if ((await holder(path)) === process.pid) await rm(path, { force: true });
}

async function holder(path: string): Promise<number> {
  return Number(await readFile(path, 'utf8').catch(() => ''));
}

function whereItExists(error: NodeJS.ErrnoException): false {
  if (error.code === 'EEXIST') return false;
  throw error;
}
