const N = 624;
const M = 397;

/**
 * NumPy's `RandomState`: the 32-bit Mersenne Twister (Matsumoto and Nishimura 1998, MT19937). Everything else of ours
 * draws from `Random`; this is here alone so that a benchmark that NumPy has shuffled picks the very same rows.
 */
export class MersenneTwister {
  readonly #state = new Uint32Array(N);
  #at = N;

  /** @param seed 0 to 2^32 - 1 */
  constructor(seed: number) {
    this.#state[0] = seed;
    for (let i = 1; i < N; i++) {
      const before = this.#state[i - 1]! ^ (this.#state[i - 1]! >>> 30);
      this.#state[i] = Math.imul(1812433253, before) + i;
    }
  }

  /** The next 32 bits, 0 to 2^32 - 1. */
  next(): number {
    if (this.#at === N) this.#turn();
    let y = this.#state[this.#at++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  /** Shuffles in place as `RandomState.shuffle` does a list. */
  shuffle<T>(items: T[]): void {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.#upTo(i);
      [items[i], items[j]] = [items[j]!, items[i]!];
    }
  }

  /** Uniform in 0 to `most`: the lowest bits that can hold it, drawn until they do not exceed it. */
  #upTo(most: number): number {
    const mask = 0xffffffff >>> Math.clz32(most);
    for (;;) {
      const value = (this.next() & mask) >>> 0;
      if (value <= most) return value;
    }
  }

  #turn(): void {
    const state = this.#state;
    for (let i = 0; i < N; i++) {
      const y = (state[i]! & 0x80000000) | (state[(i + 1) % N]! & 0x7fffffff);
      state[i] = state[(i + M) % N]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.#at = 0;
  }
}
