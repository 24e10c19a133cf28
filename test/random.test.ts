import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Random } from '../src/random.ts';

describe('Random', () => {
  // The known answer of xoshiro128starstar.c 1.1 (prng.di.unimi.it), as the Rust crate rand_xoshiro has it in its tests.
  test('gives the numbers of the reference implementation', () => {
    const random = new Random([1, 2, 3, 4]);
    expect(Array.from({ length: 10 }, () => random.next())).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
    ]);
  });

  // SplitMix64's first outputs from state 0 are e220a8397b1dcdaf and 6e789e6aa1b965f4 (Java's SplittableRandom, Vigna's
  // splitmix64.c): the state they fill is those four words.
  test('fills its state by SplitMix64', () => {
    const seeded = Random.fromSeed(0);
    const filled = new Random([0x7b1dcdaf, 0xe220a839, 0xa1b965f4, 0x6e789e6a]);
    for (let i = 0; i < 5; i++) expect(seeded.next()).toBe(filled.next());
  });

  test('draws integers evenly', () => {
    const random = Random.fromSeed(7);
    const counts = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 100_000; i++) counts[random.integer(10)]!++;
    // Chi-squared with 9 degrees of freedom exceeds 27.9 once in a thousand seeds; this seed is fixed.
    expect(counts.reduce((sum, n) => sum + (n - 10_000) ** 2 / 10_000, 0)).toBeLessThan(27.9);
  });

  test('draws floats in [0, 1) whose mean is a half', () => {
    const random = Random.fromSeed(3);
    const floats = Array.from({ length: 100_000 }, () => random.float());
    expect(Math.min(...floats.slice(0, 1000))).toBeGreaterThanOrEqual(0);
    expect(floats.every((x) => x >= 0 && x < 1)).toBe(true);
    expect(floats.reduce((sum, x) => sum + x) / floats.length).toBeCloseTo(0.5, 2);
  });

  test('a shuffle keeps every item and is the same for the same seed', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), fc.maxSafeInteger(), (items, seed) => {
        const shuffled = Random.fromSeed(seed).shuffle([...items]);
        expect(shuffled.toSorted((a, b) => a - b)).toEqual(items.toSorted((a, b) => a - b));
        expect(Random.fromSeed(seed).shuffle([...items])).toEqual(shuffled);
      }),
    );
  });
});
