import { formatBytes } from '../format.ts';
import type { Sweep, SweepRow } from '../train/sweep.ts';
import { paperShares } from '../train/sweep-svg.ts';
import { table } from './output.ts';

const height = 10;

/** A sweep for a person: the table, the plot, and what the paper says beside it. */
export function describeSweep(sweep: Sweep): string {
  return `${rowsTable(sweep)}\n${plot(sweep)}\n${besidePaper(sweep)}`;
}

function rowsTable({ model, metric, rows }: Sweep): string {
  const title = metric === 'loss' ? 'loss' : 'nDCG@10';
  const header = ['layers', 'dropped', `${title} before`, 'after', 'training', 'tokens/s', 'peak memory', 'evaluating', 'parameters', 'disk'];
  const cells = rows.map(({ layers, before, after, seconds, tokens, peakBytes, evaluationSeconds, parameters, bytes }) => [
    String(layers),
    `${Math.round(100 * (1 - layers / model.layers))} %`,
    before.toFixed(4),
    after.toFixed(4),
    `${seconds.toFixed(1)} s`,
    String(Math.round(tokens / seconds)),
    peakBytes === null ? '' : formatBytes(peakBytes),
    evaluationSeconds === null ? '' : `${evaluationSeconds.toFixed(1)} s`,
    `${(parameters / 1e6).toFixed(1)} M`,
    formatBytes(bytes),
  ]);
  return table([header, ...cells]);
}

/** Before as rings, after as dots, a column a layer of the model. */
function plot({ model, metric, rows }: Sweep): string {
  const values = rows.flatMap(({ before, after }) => [before, after]);
  const low = Math.min(...values);
  const high = Math.max(...values);
  const rowOf = (value: number): number => (high === low ? 0 : Math.round(((value - low) / (high - low)) * (height - 1)));
  const step = model.layers > 40 ? 1 : 2;
  const lines = [metric === 'loss' ? '  held-out loss' : '  nDCG@10'];
  for (let line = height - 1; line >= 0; line--) {
    const cells = Array.from({ length: model.layers }, (_, i) => {
      const row = rows.find(({ layers }) => layers === i + 1);
      const mark = row === undefined ? ' ' : rowOf(row.after) === line ? '•' : rowOf(row.before) === line ? '◦' : ' ';
      return mark.padStart(step);
    });
    lines.push(`${(low + ((high - low) * line) / (height - 1)).toFixed(3).padStart(7)} ┤${cells.join('')}`.trimEnd());
  }
  lines.push(`${' '.repeat(8)}└${'─'.repeat(model.layers * step + 1)}`);
  lines.push(`${' '.repeat(9)}${rows.reduce((axis, { layers }) => withNumber(axis, layers, layers * step), '')}  layers kept; ◦ before, • after`);
  return `${lines.join('\n')}\n`;
}

/** A line with a number that ends at a column, where there is room for it. */
function withNumber(line: string, number: number, end: number): string {
  const digits = String(number);
  const start = end - digits.length;
  return start < line.length + Number(line !== '') ? line : `${line.padEnd(start)}${digits}`;
}

/** The depths nearest to those of the paper's claim, against the deepest that was swept. */
function besidePaper({ model, metric, rows }: Sweep): string {
  const deepest = rows.at(-1);
  if (deepest === undefined || rows.length < 2) return '';
  const shareOf = ({ layers }: SweepRow): number => 1 - layers / model.layers;
  const lines = paperShares.map((share, i) => {
    const nearest = rows.reduce((best, row) => (Math.abs(shareOf(row) - share) < Math.abs(shareOf(best) - share) ? row : best));
    const change = (100 * (nearest.after - deepest.after)) / Math.abs(deepest.after);
    const title = metric === 'loss' ? 'loss' : 'nDCG@10';
    const claim = i === 0 ? 'the paper: up to 30 % with negligible loss' : 'the paper: up to 80 % with a modest loss';
    return `${Math.round(100 * shareOf(nearest))} % of the layers dropped (${nearest.layers} kept): ${title} ${nearest.after.toFixed(4)}, ${change < 0 ? '−' : '+'}${Math.abs(change).toFixed(1)} % beside ${deepest.layers} layers; ${claim}\n`;
  });
  return lines.join('');
}
