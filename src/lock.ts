import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
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

/** Locks that this process holds, or is about to: its number may have been another's when a file was written. */
const held = new Set<string>();

/** A file has its name before it has its content. */
const writingMilliseconds = 1000;

/** Makes the lock file of `withLock` and gives what removes it. Throws what `busy` makes, or WRITE_FAILED. */
export async function acquireLock(path: string, busy: (pid: number) => L3PruneError): Promise<() => Promise<void>> {
  if (held.has(path)) throw busy(process.pid);
  held.add(path);
  try {
    const own = `${process.pid} ${await startOf(process.pid)}`;
    await mkdir(dirname(path), { recursive: true });
    for (;;) {
      const isOurs = await writeFile(path, own, { flag: 'wx' }).then(() => true, whereItExists);
      if (isOurs) return () => release(path, own);
      if (await isBeingWritten(path)) {
        await setTimeout(10);
        continue;
      }
      const pid = await livingHolder(path);
      if (pid !== undefined) throw busy(pid);
      await rm(path, { force: true });
    }
  } catch (error) {
    held.delete(path);
    if (error instanceof Error && 'syscall' in error) throw errors.writeFailed(`${path} cannot be written: ${reason(error)}.`, error);
    throw error;
  }
}

/** Where the folder has been replaced meanwhile, the lock in it may be another's. */
async function release(path: string, own: string): Promise<void> {
  if ((await content(path)) === own) await rm(path, { force: true });
  held.delete(path);
}

async function isBeingWritten(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.size === 0 && Date.now() - found.mtimeMs < writingMilliseconds;
}

/** The other process that a lock names, if it is still that one: numbers are given out again, in containers at once. */
async function livingHolder(path: string): Promise<number | undefined> {
  const [pid, start] = (await content(path)).split(' ');
  const number = Number(pid);
  if (!(number > 0) || number === process.pid || !isAlive(number)) return undefined;
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
