/** One measure: what it is, ours, what it is held against, their ratio, and what issue or design ask of it. */
export interface Measure {
  readonly what: string;
  readonly ours: string;
  readonly against: string;
  readonly ratio: string;
  readonly asked: string;
}

const heads: Measure = { what: 'measure', ours: 'ours', against: 'against', ratio: 'ratio', asked: 'asked' };

/** A table in Markdown, its columns aligned. */
export function table(measures: readonly Measure[]): string {
  const columns = Object.keys(heads) as (keyof Measure)[];
  const widths = columns.map((column) => Math.max(...[heads, ...measures].map((row) => row[column].length)));
  const line = (row: Measure): string => `| ${columns.map((column, i) => row[column].padEnd(widths[i]!)).join(' | ')} |\n`;
  return `${line(heads)}|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|\n${measures.map(line).join('')}`;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The smallest value that so large a share of all does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
}

export const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;
export const gigaflops = (operations: number): string => (operations / 1e9).toFixed(0);
export const share = (part: number): string => `${(part * 100).toFixed(1)} %`;
export const times = (ratio: number): string => `${ratio.toFixed(2)} ×`;
