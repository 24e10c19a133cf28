/**
 * Cuts texts, longest first, into runs of at most `most` tokens, each as full as it gets; a longer text is a run of its
 * own. Places in the list, the longest texts first.
 */
export function fillRuns(lengths: readonly number[], most: number): number[][] {
  const runs: number[][] = [];
  let left = -1;
  for (const place of longestFirst(lengths)) {
    const length = lengths[place]!;
    if (length > left) {
      runs.push([]);
      left = most;
    }
    runs.at(-1)!.push(place);
    left -= length;
  }
  return runs;
}

/**
 * Sorts texts by length and cuts the list into at most `most` groups so that padding each to its longest costs least:
 * places in the list, longest group first.
 */
export function planGroups(lengths: readonly number[], most: number): number[][] {
  const order = longestFirst(lengths);
  const count = order.length;
  // cheapest[g][i]: padded tokens of the texts from place i of the order on in at most g groups.
  const cheapest = Array.from({ length: most + 1 }, () => new Float64Array(count + 1).fill(Infinity));
  const next = Array.from({ length: most + 1 }, () => new Int32Array(count + 1));
  for (const costs of cheapest) costs[count] = 0;
  for (let groups = 1; groups <= most; groups++) {
    for (let start = 0; start < count; start++) {
      const longest = lengths[order[start]!]!;
      for (let end = start + 1; end <= count; end++) {
        const cost = (end - start) * longest + cheapest[groups - 1]![end]!;
        if (cost >= cheapest[groups]![start]!) continue;
        cheapest[groups]![start] = cost;
        next[groups]![start] = end;
      }
    }
  }
  const plan: number[][] = [];
  for (let start = 0, groups = most; start < count; groups--) {
    const end = next[groups]![start]!;
    plan.push(order.slice(start, end));
    start = end;
  }
  return plan;
}

function longestFirst(lengths: readonly number[]): number[] {
  return lengths.map((_, place) => place).sort((a, b) => lengths[b]! - lengths[a]! || a - b);
}
