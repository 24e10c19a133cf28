/** Bodies that share this much of their words (Jaccard index) say the same thing. */
const NEAR_COPY = 0.75;

/** Whether two functions, by the words of their code, are nearly the same. */
export function isNearCopy(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return similarity(a, b) >= NEAR_COPY;
}

/** The Jaccard index of two sets of words: |a ∩ b| / |a ∪ b|, 1 where both are empty. */
export function similarity(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  let shared = 0;
  for (const word of a) if (b.has(word)) shared++;
  const all = a.size + b.size - shared;
  return all === 0 ? 1 : shared / all;
}
