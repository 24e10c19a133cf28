/**
 * Average precision of scores that are to be high where something is relevant, as scikit-learn's
 * `average_precision_score` has it:
 *
 *   AP = Σ over the thresholds t: (recall(t) - recall(t - 1)) · precision(t)
 *
 * A threshold is a distinct score, so that equal scores are found together and their order decides nothing.
 *
 * @param relevant, scores one of each an item, in the same order; at least one item is relevant, no score is NaN
 */
export function averagePrecision(relevant: readonly boolean[], scores: ArrayLike<number>): number {
  const order = Uint32Array.from(relevant, (_, i) => i).sort((a, b) => scores[b]! - scores[a]!);
  const total = relevant.reduce((count, is) => count + Number(is), 0);
  let found = 0;
  let sum = 0;
  for (let start = 0; start < order.length; ) {
    let end = start;
    let hits = 0;
    for (; end < order.length && scores[order[end]!] === scores[order[start]!]; end++) hits += Number(relevant[order[end]!]);
    found += hits;
    sum += (hits / total) * (found / end);
    start = end;
  }
  return sum;
}
