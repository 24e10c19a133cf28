/** Texts that go through the model together, by their place in the list they came from. */
export type Run = readonly number[];

/**
 * What starting a run costs, in tokens: without it the plan would make a run of every length. Measured on two machines,
 * a run of SmolLM2 costs as much beside its tokens as 10 to 25 of them do.
 */
const runOverhead = 16;

/**
 * Groups texts of similar length so that little is computed on padding: the cheapest cut of the list sorted by length,
 * where a run costs its texts times its longest and may hold at most `budget` tokens so counted (a longer text runs
 * alone). Depends on the lengths and the budget alone, never on a clock: the same texts give the same runs.
 */
export function planRuns(lengths: readonly number[], budget: number): Run[] {
  const order = lengths.map((_, i) => i).sort((a, b) => lengths[b]! - lengths[a]! || a - b);
  const count = order.length;
  // cheapest[i]: least cost of the texts from place i of the order on; next[i]: where the run that starts there ends.
  const cheapest = new Float64Array(count + 1);
  const next = new Int32Array(count + 1);
  for (let start = count - 1; start >= 0; start--) {
    const longest = lengths[order[start]!]!;
    cheapest[start] = Infinity;
    for (let end = start + 1; end <= count && (end === start + 1 || (end - start) * longest <= budget); end++) {
      const cost = runOverhead + (end - start) * longest + cheapest[end]!;
      if (cost < cheapest[start]!) {
        cheapest[start] = cost;
        next[start] = end;
      }
    }
  }
  const runs: Run[] = [];
  for (let start = 0; start < count; start = next[start]!) runs.push(order.slice(start, next[start]));
  return runs;
}
