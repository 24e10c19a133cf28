/**
 * The one source of randomness: what is drawn from a seed is the same on every machine and in every run.
 *
 * The generator is xoshiro128** 1.1 (Blackman and Vigna, "Scrambled Linear Pseudorandom Number Generators", 2021,
 * prng.di.unimi.it); its state is filled by SplitMix64, as its authors recommend.
 */
export class Random {
  readonly #state: Uint32Array;

  /** `state` is the generator's four words, not all zero; most callers want `Random.fromSeed`. */
  constructor(state: readonly [number, number, number, number]) {
    this.#state = Uint32Array.from(state);
  }

  /** `seed` is any safe integer; seeds that differ in a bit give unrelated streams. */
  static fromSeed(seed: number): Random {
    let z = BigInt.asUintN(64, BigInt(seed));
    const word = (): bigint => {
      z = BigInt.asUintN(64, z + 0x9e3779b97f4a7c15n);
      let x = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
      x = BigInt.asUintN(64, (x ^ (x >> 27n)) * 0x94d049bb133111ebn);
      return x ^ (x >> 31n);
    };
    const [a, b] = [word(), word()];
    const low = (x: bigint): number => Number(x & 0xffffffffn);
    return new Random([low(a), low(a >> 32n), low(b), low(b >> 32n)]);
  }

  /** The next 32 bits, 0 to 2^32 - 1. */
  next(): number {
    const s = this.#state as unknown as [number, number, number, number];
    const result = Math.imul(rotateLeft(Math.imul(s[1], 5), 7), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotateLeft(s[3], 11);
    return result;
  }

  /** Uniform in [0, 1), 53 bits. */
  float(): number {
    const high = this.next() >>> 5; // 27 bits
    const low = this.next() >>> 6; // 26 bits
    return (high * 67_108_864 + low) / 9_007_199_254_740_992;
  }

  /** Uniform integer in [0, bound), without bias; `bound` is 1 to 2^32. */
  integer(bound: number): number {
    const limit = 4_294_967_296 - (4_294_967_296 % bound);
    for (;;) {
      const x = this.next();
      if (x < limit) return x % bound;
    }
  }

  /** Shuffles in place (Fisher and Yates) and returns the same array. */
  shuffle<List extends { readonly length: number; [index: number]: unknown }>(items: List): List {
    const list: { [index: number]: unknown } = items;
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      const held = list[i];
      list[i] = list[j];
      list[j] = held;
    }
    return items;
  }
}

function rotateLeft(x: number, k: number): number {
  return (x << k) | (x >>> (32 - k));
}
