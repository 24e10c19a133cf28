import type { Sweep } from './sweep.ts';

const width = 640;
const height = 360;
const margin = { left: 56, right: 16, top: 32, bottom: 44 };
/** Shares of the layers that the paper drops with negligible and with modest loss (its abstract). */
export const paperShares = [0.3, 0.8] as const;

/** A sweep as a picture: the metric before and after training against the layers that are kept. */
export function sweepSvg({ model, metric, rows }: Sweep): string {
  const values = rows.flatMap(({ before, after }) => [before, after]);
  const low = metric === 'loss' ? Math.min(...values) : 0;
  const high = Math.max(...values, low + 1e-9);
  const x = (layers: number): number => margin.left + ((width - margin.left - margin.right) * layers) / model.layers;
  const y = (value: number): number => height - margin.bottom - ((height - margin.top - margin.bottom) * (value - low)) / (high - low);
  const point = (layers: number, value: number): string => `${x(layers).toFixed(1)},${y(value).toFixed(1)}`;
  const line = (of: 'before' | 'after', colour: string): string =>
    `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${rows.map((row) => point(row.layers, row[of])).join(' ')}"/>` +
    rows.map((row) => `<circle r="3" fill="${colour}" cx="${x(row.layers).toFixed(1)}" cy="${y(row[of]).toFixed(1)}"><title>${row.layers} layers, ${of}: ${row[of].toFixed(4)}</title></circle>`).join('');
  const shares = paperShares.map((share) => {
    const at = x(model.layers * (1 - share)).toFixed(1);
    return `<line x1="${at}" x2="${at}" y1="${margin.top}" y2="${height - margin.bottom}" stroke="#999" stroke-dasharray="4 4"/><text x="${at}" y="${margin.top - 4}" text-anchor="middle" fill="#777">${100 * share} % dropped</text>`;
  });
  const ticks = rows.map(({ layers }) => `<text x="${x(layers).toFixed(1)}" y="${height - margin.bottom + 16}" text-anchor="middle">${layers}</text>`);
  const levels = [low, (low + high) / 2, high].map((value) => `<text x="${margin.left - 6}" y="${(y(value) + 4).toFixed(1)}" text-anchor="end">${value.toFixed(3)}</text>`);
  const title = metric === 'loss' ? 'held-out loss' : 'nDCG@10';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="#555">
<rect width="100%" height="100%" fill="white"/>
${shares.join('\n')}
<line x1="${margin.left}" x2="${width - margin.right}" y1="${height - margin.bottom}" y2="${height - margin.bottom}" stroke="#555"/>
${line('before', '#9aa5b1')}
${line('after', '#1f6feb')}
${ticks.join('')}${levels.join('')}
<text x="${(width + margin.left - margin.right) / 2}" y="${height - 8}" text-anchor="middle">layers kept of ${model.layers}; ${title} before (grey) and after (blue) the same training</text>
</svg>
`;
}
