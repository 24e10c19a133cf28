/** An item and what became of it. */
export interface Settled<T, R> {
  readonly item: T;
  readonly result: PromiseSettledResult<R>;
}

/**
 * Starts work on items in their order, `ahead` of the one that is used at most, and gives the results in that order. An
 * end before the last one waits for what runs.
 */
export async function* inOrder<T, R>(items: readonly T[], ahead: number, start: (item: T) => Promise<R>): AsyncGenerator<Settled<T, R>> {
  const running: Promise<Settled<T, R>>[] = [];
  let next = 0;
  const fill = (): void => {
    while (running.length < ahead && next < items.length) {
      const item = items[next++] as T;
      running.push(Promise.allSettled([start(item)]).then(([result]) => ({ item, result })));
    }
  };
  try {
    for (fill(); running.length > 0; ) {
      const settled = await (running.shift() as Promise<Settled<T, R>>);
      fill();
      yield settled;
    }
  } finally {
    await Promise.all(running);
  }
}
