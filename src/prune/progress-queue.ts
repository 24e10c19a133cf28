/** Turns work that reports by a callback into an async iterable of the newest report and a result. */
export class ProgressQueue<P, R> {
  readonly #result: Promise<R>;
  #latest: P | undefined;
  #wake: () => void = () => {};
  #settled = false;

  constructor(work: (push: (progress: P) => void) => Promise<R>) {
    this.#result = work((progress) => {
      this.#latest = progress;
      this.#wake();
    }).finally(() => {
      this.#settled = true;
      this.#wake();
    });
    // Whoever drains sees the failure; until then it is no unhandled rejection.
    this.#result.catch(() => {});
  }

  /** Yields the newest report, those it overtook left out, until the work has settled; returns or throws as it did. */
  async *drain(): AsyncGenerator<P, R> {
    while (!this.#settled) {
      if (this.#latest === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      const progress = this.#latest;
      this.#latest = undefined;
      yield progress;
    }
    return this.#result;
  }
}
