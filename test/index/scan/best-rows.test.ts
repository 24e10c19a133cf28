import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bestRows } from '../../../src/index/scan/best-rows.ts';

/** Few different scores, so that many tie. */
const rows = fc.array(fc.record({ score: fc.integer({ min: -4, max: 4 }), isWanted: fc.boolean() }), { maxLength: 300 });

describe('the best rows', () => {
  test('are the first of all rows when sorted, the lower row first where scores tie', () => {
    fc.assert(
      fc.property(rows, fc.nat(40), fc.boolean(), (rows, top, isMasked) => {
        const sorted = rows
          .map(({ score, isWanted }, row) => ({ row, score, isWanted }))
          .filter(({ isWanted }) => !isMasked || isWanted)
          .sort((a, b) => b.score - a.score || a.row - b.row);
        const mask = isMasked ? Uint8Array.from(rows, ({ isWanted }) => Number(isWanted)) : undefined;
        expect(bestRows(Float32Array.from(rows, ({ score }) => score), top, mask)).toEqual(
          sorted.slice(0, top).map(({ row, score }) => ({ row, score })),
        );
      }),
    );
  });

  test('are found where every row is better than all before it', () => {
    const scores = Float32Array.from({ length: 10_000 }, (_, row) => row);
    expect(bestRows(scores, 3).map(({ row }) => row)).toEqual([9999, 9998, 9997]);
  });

  test('are never rows whose score is no number', () => {
    expect(bestRows(Float32Array.of(NaN, -1, NaN, -2), 4)).toEqual([
      { row: 1, score: -1 },
      { row: 3, score: -2 },
    ]);
  });
});
