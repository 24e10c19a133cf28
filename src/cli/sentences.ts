import type { RejectedRow } from '../data/triplet.ts';
import type { ByteProgress } from '../models/types.ts';
import { megabytes } from './progress.ts';

const mostNamed = 10;

/** Which rows of a data file were left out, by line and reason; nothing where none were. */
export function describeRejected(rejected: readonly RejectedRow[]): string {
  if (rejected.length === 0) return '';
  const named = rejected.slice(0, mostNamed).map(({ file, line, reason }) => `  ${file}:${line}: ${reason}\n`);
  const rest = rejected.length > mostNamed ? `  … and ${rejected.length - mostNamed} more\n` : '';
  return `${rejected.length} ${rejected.length === 1 ? 'row was' : 'rows were'} left out:\n${named.join('')}${rest}`;
}

export function describeBytes({ doneBytes, totalBytes }: ByteProgress): string {
  return totalBytes === undefined ? megabytes(doneBytes) : `${megabytes(doneBytes)} of ${megabytes(totalBytes)}`;
}
