import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pack, quantize, unpack, vectorBytes } from '../../../src/index/scan/quantize.ts';
import { Random } from '../../../src/random.ts';
import { codeOf, normal, product } from './vectors.ts';

const cosine = (a: Float32Array, b: Float32Array): number => product(a, b) / Math.sqrt(product(a, a) * product(b, b));

describe('a quantized vector', () => {
  test('is the direction alone', () => {
    const { values, scale } = quantize(Float32Array.of(3, -4, 0));
    expect([...values]).toEqual([95, -127, 0]);
    expect(scale).toBe(Math.fround(0.8 / 127));
    expect(quantize(Float32Array.of(3e30, -4e30, 0))).toEqual({ values, scale });
    expect(quantize(Float32Array.of(2 ** -148, 0)).values).toEqual(Int8Array.of(127, 0));
  });

  test('of zeros is zeros with scale 0', () => {
    expect(quantize(new Float32Array(3))).toEqual({ values: new Int8Array(3), scale: 0 });
  });

  test('of what is no number is refused', () => {
    for (const bad of [NaN, Infinity, -Infinity]) expect(codeOf(() => quantize(Float32Array.of(1, bad)))).toBe('NOT_FINITE');
  });

  test('is packed and unpacked as it was, wherever it lies', () => {
    const numbers = fc.float32Array({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(numbers, fc.nat(9), (numbers, before) => {
        const vector = quantize(numbers);
        const packed = pack(vector);
        expect(packed.length).toBe(vectorBytes(numbers.length));
        const within = new Uint8Array([...new Uint8Array(before), ...packed]).subarray(before);
        expect(unpack(within, numbers.length)).toEqual(vector);
      }),
    );
  });

  test('has its scale after its values, little endian', () => {
    expect([...pack({ values: Int8Array.of(1, -1), scale: 0.5 })]).toEqual([1, 255, 0, 0, 0, 63]);
  });

  test('of other dimensions is not unpacked', () => {
    expect(codeOf(() => unpack(new Uint8Array(580), 575))).toBe('BAD_INDEX');
  });
});

/** Vectors of a hidden layer have a few numbers that are many times the others, most at the same places. */
function peaky(random: Random): Float32Array {
  const vector = normal(random, 576);
  for (const d of [17, 203, 540]) vector[d] = 30 * (vector[d]! + 3);
  vector[random.integer(576)]! *= 40;
  return vector;
}

test.for([
  { what: 'random vectors', make: (random: Random) => normal(random, 576) },
  { what: 'vectors with peaks', make: peaky },
])('products of quantized $what are within 0.01 of the cosine', async ({ make }, { annotate }) => {
  const random = Random.fromSeed(5);
  const vectors = Array.from({ length: 300 }, () => make(random));
  const quantized = vectors.map((vector) => quantize(vector));
  let largest = 0;
  for (let i = 0; i < vectors.length; i++) {
    for (let j = 0; j <= i; j++) {
      const [a, b] = [quantized[i]!, quantized[j]!];
      largest = Math.max(largest, Math.abs(a.scale * b.scale * product(a.values, b.values) - cosine(vectors[i]!, vectors[j]!)));
    }
  }
  await annotate(`At most ${largest.toPrecision(2)} away.`);
  expect(largest).toBeLessThan(1e-2);
});
