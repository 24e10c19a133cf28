import { dot } from '../../dot.ts';
import { errors } from '../../errors.ts';

/** A vector in int8: its numbers are about `values[d] * scale`. */
export interface QuantizedVector {
  /** -127 to 127. */
  readonly values: Int8Array;
  /** A float32. */
  readonly scale: number;
}

/** The largest int8 whose negative is one too. */
const largest = 127;
const scaleBytes = 4;

/**
 * A vector's direction in int8, so that the product of two is the cosine of what they were made of: the vector is brought
 * to length 1, its largest number becomes 127 or -127 and the others are rounded to the nearest. The zero vector has scale
 * 0. Errors: NOT_FINITE.
 */
export function quantize(vector: Float32Array): QuantizedVector {
  const length = Math.sqrt(dot(vector, vector));
  if (!Number.isFinite(length)) throw errors.notFinite('A vector holds NaN or infinity: the model that made it is damaged.');
  const values = new Int8Array(vector.length);
  if (length === 0) return { values, scale: 0 };
  let most = 0;
  for (const x of vector) most = Math.max(most, Math.abs(x));
  for (let d = 0; d < vector.length; d++) values[d] = Math.round((vector[d]! * largest) / most);
  return { values, scale: Math.fround(most / length / largest) };
}

/** What a packed vector takes. */
export const vectorBytes = (dimensions: number): number => dimensions + scaleBytes;

/** A vector as it is stored and scanned: its values, one byte each, then its scale, float32 little endian. */
export function pack({ values, scale }: QuantizedVector): Uint8Array {
  const packed = new Uint8Array(vectorBytes(values.length));
  packed.set(values);
  viewOf(packed).setFloat32(values.length, scale, true);
  return packed;
}

/** The vector that was packed, as a copy. Errors: BAD_INDEX where it has other dimensions. */
export function unpack(packed: Uint8Array, dimensions: number): QuantizedVector {
  if (packed.length !== vectorBytes(dimensions)) throw badVector(packed.length, dimensions);
  return { values: new Int8Array(packed.buffer, packed.byteOffset, dimensions).slice(), scale: viewOf(packed).getFloat32(dimensions, true) };
}

/** A stored vector is not as long as the index says. */
export function badVector(bytes: number, dimensions: number): Error {
  return errors.badIndex(
    `The index holds a vector of ${bytes} bytes where one of ${dimensions} numbers takes ${vectorBytes(dimensions)}: run l3prune index to make it again.`,
  );
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
