import type { RejectedRow } from '../data/triplet.ts';

const mostNamed = 10;

/** Which rows of a data file were left out, by line and reason; nothing where none were. */
export function describeRejected(rejected: readonly RejectedRow[]): string {
  if (rejected.length === 0) return '';
  const named = rejected.slice(0, mostNamed).map(({ file, line, reason }) => `  ${file}:${line}: ${reason}\n`);
  const rest = rejected.length > mostNamed ? `  … and ${rejected.length - mostNamed} more\n` : '';
  return `${rejected.length} ${rejected.length === 1 ? 'row was' : 'rows were'} left out:\n${named.join('')}${rest}`;
}
