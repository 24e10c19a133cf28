import type { RejectedRow } from '../data/triplet.ts';

const mostNamed = 10;

/** Which rows of a data file were left out, by line and reason, of `count` in all; nothing where none were. */
export function describeRejected(rejected: readonly RejectedRow[], count = rejected.length): string {
  if (count === 0) return '';
  const named = rejected.slice(0, mostNamed).map(({ file, line, reason }) => `  ${file}:${line}: ${reason}\n`);
  const rest = count > named.length ? `  … and ${count - named.length} more\n` : '';
  return `${count} ${count === 1 ? 'row was' : 'rows were'} left out:\n${named.join('')}${rest}`;
}
