import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pack, vectorBytes, type QuantizedVector } from '../../../src/index/scan/quantize.ts';
import { VectorTable } from '../../../src/index/scan/vector-table.ts';
import { availableBytes } from '../../../src/memory.ts';
import { Random } from '../../../src/random.ts';
import { skipBecause } from '../../skips.ts';
import { codeOf, product } from './vectors.ts';

/** All int8, -128 too, and any scale. */
function anyVector(random: Random, dimensions: number): QuantizedVector {
  return { values: Int8Array.from({ length: dimensions }, () => random.integer(256) - 128), scale: Math.fround(random.float() - 0.2) };
}

const manyVectors = (random: Random, count: number, dimensions: number): QuantizedVector[] =>
  Array.from({ length: count }, () => anyVector(random, dimensions));

const plainScore = (query: QuantizedVector, row: QuantizedVector): number =>
  Math.fround(query.scale * row.scale * product(query.values, row.values));

function tableOf(dimensions: number, rows: readonly QuantizedVector[]): VectorTable {
  const table = new VectorTable(dimensions);
  for (const row of rows) table.add(row);
  return table;
}

const dimensions = fc.oneof(fc.constantFrom(1, 15, 16, 17, 576), fc.integer({ min: 1, max: 1100 }));

describe('the scores of a vector table', () => {
  test('are those of plain integer products, whatever the dimensions', () => {
    fc.assert(
      fc.property(dimensions, fc.nat(40), fc.nat(), (dimensions, count, seed) => {
        const random = Random.fromSeed(seed);
        const rows = manyVectors(random, count, dimensions);
        const table = tableOf(dimensions, rows);
        for (const query of manyVectors(random, 2, dimensions))
          expect([...table.scores(query)]).toEqual(rows.map((row) => plainScore(query, row)));
      }),
    );
  });

  test('are exact where the sums are largest', () => {
    const largest = { values: new Int8Array(65_536).fill(-128), scale: 1 };
    expect([...tableOf(65_536, [largest, largest]).scores(largest)]).toEqual([2 ** 30, 2 ** 30]);
  });

  test('do not depend on what lay in the memory before', () => {
    const table = tableOf(17, manyVectors(Random.fromSeed(1), 20, 17));
    table.scores({ values: new Int8Array(17).fill(127), scale: 1 });
    table.clear();
    expect(table.length).toBe(0);
    const [row, query] = manyVectors(Random.fromSeed(2), 2, 17) as [QuantizedVector, QuantizedVector];
    expect(table.add(row)).toBe(0);
    expect([...table.scores(query)]).toEqual([plainScore(query, row)]);
  });
});

describe('a vector table', () => {
  test('takes packed vectors and hands out where they go, in the order of adding', () => {
    const rows = manyVectors(Random.fromSeed(3), 6, 5);
    const packed = rows.map(pack);
    const table = new VectorTable(5, 2);
    expect(table.add(rows[0]!)).toBe(0);
    expect(table.addPacked(new Uint8Array(packed.slice(1, 3).flatMap((bytes) => [...bytes])))).toBe(1);
    const places = table.place(2);
    places.set(packed[3]!);
    places.set(packed[4]!, vectorBytes(5));
    expect(table.addPacked(packed[5]!)).toBe(5);
    expect(table.length).toBe(6);
    const query = anyVector(Random.fromSeed(4), 5);
    expect([...table.scores(query)]).toEqual(rows.map((row) => plainScore(query, row)));
  });

  test('keeps its rows as it grows and wastes little', () => {
    const random = Random.fromSeed(6);
    const rows = manyVectors(random, 1000, 576);
    const query = anyVector(random, 576);
    const table = new VectorTable(576);
    for (let i = 0; i < 20_000; i++) {
      table.add(rows[i % 1000]!);
      if (i % 997 === 0) table.scores(query);
    }
    const expected = rows.map((row) => plainScore(query, row));
    expect(table.scores(query).every((score, i) => score === expected[i % 1000])).toBe(true);
    expect(table.bytes).toBeLessThan(1.15 * 20_000 * vectorBytes(576));
  });

  test('has the room from the beginning that it is told to have', () => {
    const table = new VectorTable(576, 1000);
    const { bytes } = table;
    table.place(1000).fill(1);
    table.scores({ values: new Int8Array(576), scale: 1 });
    expect(table.bytes).toBe(bytes);
    expect(bytes).toBeLessThan(1000 * vectorBytes(576) + 100_000);
  });

  test('reaches what lies beyond 2 GiB', (context) => {
    const [dimensions, rows] = [65_536, 40_000];
    if (availableBytes() < 4e9) {
      skipBecause('Scanning more than 2 GiB of vectors needs 4 GB of free memory.');
      return context.skip();
    }
    const table = new VectorTable(dimensions, rows);
    table.place(rows - 1);
    const query = anyVector(Random.fromSeed(7), dimensions);
    table.add(query);
    expect(table.best(query, 1)).toEqual([{ row: rows - 1, score: plainScore(query, query) }]);
  });

  test('refuses what no memory holds, and dimensions that no encoder has', () => {
    expect(codeOf(() => new VectorTable(65_536, 70_000))).toBe('TOO_LARGE');
    expect(codeOf(() => new VectorTable(576).place(8_000_000))).toBe('TOO_LARGE');
    for (const dimensions of [0, 65_537, 1.5, NaN]) expect(codeOf(() => new VectorTable(dimensions))).toBe('UNSUPPORTED');
  });

  test('refuses vectors and masks that do not fit, and is as it was', () => {
    const table = tableOf(4, manyVectors(Random.fromSeed(8), 3, 4));
    const other = anyVector(Random.fromSeed(9), 5);
    expect(() => table.add(other)).toThrow(RangeError);
    expect(() => table.scores(other)).toThrow(RangeError);
    expect(() => table.best(anyVector(Random.fromSeed(9), 4), 1, new Uint8Array(2))).toThrow(RangeError);
    expect(codeOf(() => table.addPacked(new Uint8Array(9)))).toBe('BAD_INDEX');
    expect(table.length).toBe(3);
  });

  test('finds the best rows that are wanted', () => {
    const random = Random.fromSeed(10);
    const rows = manyVectors(random, 500, 31);
    const query = anyVector(random, 31);
    const wanted = Uint8Array.from(rows, () => random.integer(2));
    const expected = rows
      .map((vector, row) => ({ row, score: plainScore(query, vector) }))
      .filter(({ row }) => wanted[row] === 1)
      .sort((a, b) => b.score - a.score || a.row - b.row);
    expect(tableOf(31, rows).best(query, 20, wanted)).toEqual(expected.slice(0, 20));
  });
});
