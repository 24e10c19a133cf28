import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pairedBootstrap } from '../../src/eval/bootstrap.ts';
import { rankByCosine, subtractMean } from '../../src/eval/cosine.ts';

const vector = (...values: number[]): Float32Array => Float32Array.from(values);

describe('rankByCosine', () => {
  test('puts the nearest direction first, whatever its length', () => {
    const [ranked] = rankByCosine([vector(1, 1, 0, 0, 0)], [vector(0, 0, 1, 0, 0), vector(9, 0, 0, 0, 0), vector(-1, -1, 0, 0, 0), vector(0.1, 0.1, 0, 0, 0)], 10);
    expect(ranked?.map(({ index }) => index)).toEqual([3, 1, 0, 2]);
    [1, Math.SQRT1_2, 0, -1].forEach((cosine, i) => expect(ranked?.[i]?.score).toBeCloseTo(cosine, 6));
  });

  test('breaks ties by index, and gives no more than it was asked for', () => {
    const document = vector(0.3, 0.7, 0.1);
    expect(rankByCosine([vector(1, 2, 3)], [document, document, document], 2)[0]?.map(({ index }) => index)).toEqual([0, 1]);
  });

  test('takes zero vectors and lengths at the ends of float32', () => {
    const [ranked] = rankByCosine([vector(3e38, 3e38)], [vector(0, 0), vector(1e-38, 1e-38)], 2);
    expect(ranked?.map(({ index }) => index)).toEqual([1, 0]);
    expect(ranked?.[0]?.score).toBeCloseTo(1, 6);
    expect(ranked?.[1]?.score).toBe(0);
  });

  test('refuses NaN and infinity', () => {
    expect(() => rankByCosine([vector(NaN, 1)], [vector(1, 1)], 1)).toThrow(expect.objectContaining({ code: 'NOT_FINITE' }));
    expect(() => rankByCosine([vector(1, 1)], [vector(Infinity, 1)], 1)).toThrow(expect.objectContaining({ code: 'NOT_FINITE' }));
  });

  test('does not change when a vector is scaled by a power of two', () => {
    const vectors = fc.array(fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 6, maxLength: 6 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(vectors, fc.integer({ min: -20, max: 20 }), (rows, power) => {
        const documents = rows.map((row) => Float32Array.from(row));
        const scaled = documents.map((document) => document.map((x) => x * 2 ** power));
        expect(rankByCosine([vector(1, 2, 3, 4, 5, 6)], scaled, 8)).toEqual(rankByCosine([vector(1, 2, 3, 4, 5, 6)], documents, 8));
      }),
    );
  });
});

describe('subtractMean', () => {
  test('leaves vectors whose mean is zero', () => {
    expect(subtractMean([vector(1, 10), vector(3, 20)])).toEqual([vector(-1, -5), vector(1, 5)]);
    expect(subtractMean([])).toEqual([]);
  });
});

describe('pairedBootstrap', () => {
  const a = [0.1, 0.5, 1, 0.25, 0.3333, 0, 1, 0.5, 0.2, 1, 0, 0.5];
  const b = [0, 0.5, 0.5, 0.2, 0.5, 0, 0.3333, 0.25, 0.25, 0.5, 0.1, 1];

  // scipy 1.17.1: bootstrap(((a - b),), np.mean, method="percentile", n_resamples=200000) gives (-0.0708, 0.2820).
  test('has the interval that scipy has', () => {
    const interval = pairedBootstrap(a, b, 42);
    expect(interval.mean).toBeCloseTo(0.104167, 6);
    expect(Math.abs(interval.low + 0.0708)).toBeLessThan(0.01);
    expect(Math.abs(interval.high - 0.282)).toBeLessThan(0.01);
  });

  test('is the same for the same seed, and a point where nothing differs', () => {
    expect(pairedBootstrap(a, b, 1)).toEqual(pairedBootstrap(a, b, 1));
    expect(pairedBootstrap(a, a, 1)).toEqual({ mean: 0, low: 0, high: 0 });
  });
});
