import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { averagePrecision } from '../../src/eval/statistics/average-precision.ts';
import { averageRanks, spearman } from '../../src/eval/statistics/spearman.ts';
import { vMeasure } from '../../src/eval/statistics/v-measure.ts';
import { scores } from './reference/scores.ts';

const exact = 1e-12;
const off = (a: number, b: number): number => Math.abs(a - b);

describe('spearman', () => {
  test.each(scores.spearman)('is what SciPy has for $name', ({ x, y, value }) => {
    if (value === null) expect(spearman(x, y)).toBeNaN();
    else expect(off(spearman(x, y), value)).toBeLessThan(exact);
  });

  test('gives equal values the mean of their places', () => {
    expect([...averageRanks([7, 5, 7, 7, 1])]).toEqual([4, 2, 4, 4, 1]);
  });

  test('does not change where a side is stretched without changing its order', () => {
    const pairs = fc.array(fc.tuple(fc.integer({ min: -9, max: 9 }), fc.integer({ min: -9, max: 9 })), { minLength: 3, maxLength: 40 });
    fc.assert(
      fc.property(pairs, (rows) => {
        const [x, y] = [rows.map(([a]) => a), rows.map(([, b]) => b)];
        expect(
          spearman(
            x.map((a) => a ** 3 * 1e6 + a),
            y,
          ),
        ).toBe(spearman(x, y));
      }),
    );
  });
});

describe('averagePrecision', () => {
  test.each(scores.averagePrecision)('is what scikit-learn has for $name', ({ relevant, scores, value }) => {
    expect(off(averagePrecision(relevant, scores), value)).toBeLessThan(exact);
  });

  test('does not hang on the order of items, ties or not', () => {
    const items = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 6 })), { minLength: 1, maxLength: 30 }).filter((all) => all.some(([is]) => is));
    fc.assert(
      fc.property(items, (all) => {
        const of = (rows: typeof all): number =>
          averagePrecision(
            rows.map(([is]) => is),
            rows.map(([, score]) => score),
          );
        expect(of(all.toReversed())).toBe(of(all));
      }),
    );
  });
});

describe('vMeasure', () => {
  test.each(scores.vMeasure)('is what scikit-learn has for $name', ({ classes, clusters, value }) => {
    expect(off(vMeasure(classes, clusters), value)).toBeLessThan(exact);
  });

  test('does not change when classes and clusters change places', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(4), fc.nat(4)), { minLength: 1, maxLength: 50 }), (items) => {
        const [a, b] = [items.map(([x]) => x), items.map(([, y]) => y)];
        expect(off(vMeasure(a, b), vMeasure(b, a))).toBeLessThan(exact);
      }),
    );
  });
});
