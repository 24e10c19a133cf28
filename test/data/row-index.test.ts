import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HashSet } from '../../src/data/hash-set.ts';
import { RowIndex } from '../../src/data/row-index.ts';

describe('a row index', () => {
  test('knows every row it was told of, beyond 4 GB and many thousand rows', () => {
    const index = new RowIndex();
    const place = (row: number) => ({ offset: row * 100_003, bytes: row % 70_000 });
    for (let row = 0; row < 150_000; row++) index.add(place(row));
    expect(index.length).toBe(150_000);
    for (const row of [0, 65_535, 65_536, 131_071, 131_072, 149_999]) expect(index.at(row)).toEqual(place(row));
  });
});

describe('a set of hashes', () => {
  test('takes each once, as a Set does', () => {
    const sha256 = (value: number) => createHash('sha256').update(String(value)).digest();
    const expected = new Set<number>();
    const hashes = new HashSet();
    for (let i = 0; i < 30_000; i++) {
      const value = Math.imul(i, 7919) % 20_000;
      expect(hashes.add(sha256(value))).toBe(!expected.has(value));
      expected.add(value);
    }
  });

  test('tells hashes apart that end up in one place, and takes zeros for a hash', () => {
    const words = fc.array(fc.tuple(fc.constantFrom(0, 2, 2048, 4096, 0x8000_0000), fc.nat(3)), { maxLength: 40 });
    fc.assert(
      fc.property(words, (pairs) => {
        const hashes = new HashSet();
        const expected = new Set<string>();
        for (const [low, high] of pairs) {
          const digest = Buffer.alloc(8);
          digest.writeUInt32LE(low);
          digest.writeUInt32LE(high, 4);
          expect(hashes.add(digest)).toBe(!expected.has(`${low} ${high}`));
          expected.add(`${low} ${high}`);
        }
      }),
    );
  });
});
