/** A row and how well it answers. */
export interface ScoredRow {
  readonly row: number;
  readonly score: number;
}

/**
 * The `top` best rows, best first, the lower row first where scores tie; fewer where there are not as many. `wanted` is not
 * 0 for the rows that count, all where it is left out. A row whose score is NaN is never among them.
 *
 * Rows that may be among the best are gathered until there are twice as many as asked for, and then cut to the best. A
 * later row has to beat the last of those, which soon almost none does.
 */
export function bestRows(scores: Float32Array, top: number, wanted?: Uint8Array): ScoredRow[] {
  const byScore = (a: number, b: number): number => scores[b]! - scores[a]! || a - b;
  let best: number[] = [];
  let threshold = top > 0 ? -Infinity : Infinity;
  for (let row = 0; row < scores.length; row++) {
    if (!(scores[row]! > threshold) || wanted?.[row] === 0) continue;
    best.push(row);
    if (best.length < 2 * top) continue;
    best = best.sort(byScore).slice(0, top);
    threshold = scores[best.at(-1)!]!;
  }
  return best
    .sort(byScore)
    .slice(0, top)
    .map((row) => ({ row, score: scores[row]! }));
}
