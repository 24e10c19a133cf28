import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive } from './files.ts';
import { startOf } from './lock.ts';

/**
 * How processes on one machine yield to each other. One that waits for an answer, or trains, leaves a file with its number
 * as its name while it does; one that works in the background looks for such files. A file whose process is gone counts
 * for nothing.
 */

/** Where processes say that they train or measure a model, in the data home. */
export function computingFolder(home: string): string {
  return join(home, 'computing');
}

/** Leaves the file as long as the work takes. */
export async function announcing<R>(folder: string, work: () => Promise<R>): Promise<R> {
  const withdraw = await announce(folder);
  try {
    return await work();
  } finally {
    withdraw();
  }
}

/** The same for work in steps. */
export async function* announcingSteps<P, R>(folder: string, steps: AsyncGenerator<P, R>): AsyncGenerator<P, R> {
  const withdraw = await announce(folder);
  try {
    return yield* steps;
  } finally {
    withdraw();
  }
}

/** Whether another process has left its file in a folder. */
export async function isAnnounced(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) if (/^\d+$/.test(name) && Number(name) !== process.pid && (await isOfLiving(join(folder, name), Number(name)))) return true;
  return false;
}

/** Numbers are given out again: the file says when its process began. */
async function isOfLiving(file: string, pid: number): Promise<boolean> {
  if (!isAlive(pid)) return false;
  const start = await readFile(file, 'utf8').catch(() => undefined);
  return start === '' || start === (await startOf(pid));
}

/** Work of this process that is announced in a folder: its file goes with the last. */
const announced = new Map<string, number>();

async function announce(folder: string): Promise<() => void> {
  const file = join(folder, String(process.pid));
  const start = await startOf(process.pid);
  announced.set(file, (announced.get(file) ?? 0) + 1);
  // Without a pause, so that what one piece of work withdraws is never what the next has just left.
  tolerant(() => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, start);
  });
  return () => {
    const left = announced.get(file)! - 1;
    announced.set(file, left);
    if (left === 0) tolerant(() => rmSync(file, { force: true }));
  };
}

function tolerant(change: () => void): void {
  try {
    change();
  } catch {
    // A folder that cannot be written to costs courtesy, not the work.
  }
}
