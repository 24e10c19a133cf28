import { errors } from '../errors.ts';
import type { TensorSource } from './tensor-data.ts';
import type { StorageType } from './types.ts';

/** The same source, which stops at a number that is not one: a cut of damaged weights would be a damaged model. */
export function finiteSource(source: TensorSource): TensorSource {
  const check = isFiniteIn[source.type];
  return {
    ...source,
    async *chunks() {
      for await (const chunk of source.chunks()) {
        if (!check(chunk))
          throw errors.notFinite(`Tensor ${source.name} holds numbers that are not finite: the file is damaged; fetch or make it again.`);
        yield chunk;
      }
    },
  };
}

/** An IEEE number is NaN or infinite when its exponent bits are all 1. */
const isFiniteIn: Readonly<Record<StorageType, (bytes: Uint8Array) => boolean>> = {
  F32: (bytes) => exponentsBelow(new Uint32Array(aligned(bytes, 4)), 0x7f80_0000),
  F16: (bytes) => exponentsBelow(new Uint16Array(aligned(bytes, 2)), 0x7c00),
  BF16: (bytes) => exponentsBelow(new Uint16Array(aligned(bytes, 2)), 0x7f80),
};

function exponentsBelow(words: Uint16Array | Uint32Array, mask: number): boolean {
  for (let i = 0; i < words.length; i++) if ((words[i]! & mask) === mask) return false;
  return true;
}

/** The bytes as a buffer of whole words of their own: a view may start anywhere. */
function aligned(bytes: Uint8Array, word: number): ArrayBuffer {
  const copy = new Uint8Array(bytes.length - (bytes.length % word));
  copy.set(bytes.subarray(0, copy.length));
  return copy.buffer;
}
