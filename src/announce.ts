import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive } from './files.ts';

/**
 * How processes on one machine yield to each other. One that waits for an answer, or trains, leaves a file with its number
 * as its name while it does; one that works in the background looks for such files. A file whose process is gone counts
 * for nothing.
 */

/** Where processes say that they train or measure a model, in the data home. */
export function computingFolder(home: string): string {
  return join(home, 'computing');
}

/** Leaves the file as long as the work takes. A folder that cannot be written to costs courtesy, not the work. */
export async function announcing<R>(folder: string, work: () => Promise<R>): Promise<R> {
  const withdraw = await announce(folder);
  try {
    return await work();
  } finally {
    await withdraw();
  }
}

/** The same for work in steps. */
export async function* announcingSteps<P, R>(folder: string, steps: AsyncGenerator<P, R>): AsyncGenerator<P, R> {
  const withdraw = await announce(folder);
  try {
    return yield* steps;
  } finally {
    await withdraw();
  }
}

/** Whether another process has left its file in a folder. */
export async function isAnnounced(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch(() => []);
  return names.some((name) => /^\d+$/.test(name) && Number(name) !== process.pid && isAlive(Number(name)));
}

/** Work of this process that is announced in a folder: its file goes with the last. */
const announced = new Map<string, number>();

async function announce(folder: string): Promise<() => Promise<void>> {
  const file = join(folder, String(process.pid));
  announced.set(file, (announced.get(file) ?? 0) + 1);
  await mkdir(folder, { recursive: true }).catch(() => undefined);
  await writeFile(file, '').catch(() => undefined);
  return async () => {
    const left = announced.get(file)! - 1;
    announced.set(file, left);
    if (left === 0) await rm(file, { force: true }).catch(() => undefined);
  };
}
