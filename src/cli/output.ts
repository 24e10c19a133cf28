import { once } from 'node:events';
import { throwIfCancelled } from '../errors.ts';

/** Writes to standard output and waits where its reader is slower than we are. Throws `CANCELLED`. */
export async function print(text: string, signal?: AbortSignal): Promise<void> {
  if (process.stdout.write(text)) return;
  await once(process.stdout, 'drain', { ...(signal && { signal }) }).catch((error: unknown) => {
    throwIfCancelled(signal);
    throw error;
  });
}

/** A JSON document on a line of its own. */
export async function printJson(value: unknown, signal?: AbortSignal): Promise<void> {
  await print(`${JSON.stringify(value)}\n`, signal);
}

/** Rows as columns of equal width: the first to the left, the others to the right. */
export function table(rows: ReadonlyArray<readonly string[]>): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]!.length))) ?? [];
  const line = (row: readonly string[]): string =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join('  ');
  return rows.map((row) => `${line(row).trimEnd()}\n`).join('');
}
