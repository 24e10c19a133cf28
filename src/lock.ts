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

/** Locks that this process holds: its number may have been another's when a file was written. */
const held = new Set<string>();

/** Makes the lock file of `withLock` and gives what removes it. Throws what `busy` makes, or WRITE_FAILED. */
export async function acquireLock(path: string, busy: (pid: number) => L3PruneError): Promise<() => Promise<void>> {
  const own = `${process.pid} ${await startOf(process.pid)}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    for (;;) {
      const isOurs = await writeFile(path, own, { flag: 'wx' }).then(() => true, whereItExists);
      if (isOurs) {
        held.add(path);
        return () => release(path, own);
      }
      const pid = await livingHolder(path);
      if (pid !== undefined) throw busy(pid);
      await rm(path, { force: true });
    }
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) throw errors.writeFailed(`${path} cannot be written: ${reason(error)}.`, error);
    throw error;
  }
}

/** Where the folder has been replaced meanwhile, the lock in it may be another's. */
async function release(path: string, own: string): Promise<void> {
  held.delete(path);
  if ((await content(path)) === own) await rm(path, { force: true });
}

/** The process that a lock names, if it is still that one: numbers are given out again, in containers at once. */
async function livingHolder(path: string): Promise<number | undefined> {
  const [pid, start] = (await content(path)).split(' ');
  const number = Number(pid);
  if (!(number > 0) || !isAlive(number)) return undefined;
  if (number === process.pid) return held.has(path) ? number : undefined;
  return start !== undefined && start !== (await startOf(number)) ? undefined : number;
}

function content(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

/** When a process began, in the kernel's ticks; the same for all where no file says so. */
export async function startOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name of the program stands in brackets and may hold anything.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

function whereItExists(error: NodeJS.ErrnoException): false {
  if (error.code === 'EEXIST') return false;
  throw error;
}
