import { float16Table, widen } from './tensor-data.ts';

/** Elements and bytes of one block of each type that we read; rows are whole blocks. */
export const BLOCKS = {
  F32: { elements: 1, bytes: 4 },
  F16: { elements: 1, bytes: 2 },
  BF16: { elements: 1, bytes: 2 },
  Q8_0: { elements: 32, bytes: 34 },
  Q4_0: { elements: 32, bytes: 18 },
  Q4_1: { elements: 32, bytes: 20 },
} as const;

export type GgufType = keyof typeof BLOCKS;

/**
 * Whole blocks of `type` as float32, bit for bit what the `gguf` Python package gives. The products below have at most
 * 19 significant bits, so only the sum of Q4_1 rounds, once, when it is stored.
 */
export function dequantize(bytes: Uint8Array, type: GgufType): Float32Array {
  switch (type) {
    case 'F32':
    case 'F16':
    case 'BF16':
      return widen(bytes, type);
    case 'Q8_0':
      return dequantizeQ8(bytes);
    case 'Q4_0':
      return dequantizeQ4(bytes, BLOCKS.Q4_0.bytes, (q, d) => d * (q - 8));
    case 'Q4_1':
      return dequantizeQ4(bytes, BLOCKS.Q4_1.bytes, (q, d, m) => d * q + m);
  }
}

/** w = d q; a block is d (float16) and 32 q (int8). */
function dequantizeQ8(bytes: Uint8Array): Float32Array {
  const halves = float16Table();
  const signed = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  const out = new Float32Array((bytes.length / BLOCKS.Q8_0.bytes) * 32);
  for (let at = 0, o = 0; at < bytes.length; at += BLOCKS.Q8_0.bytes, o += 32) {
    const d = halves[bytes[at]! | (bytes[at + 1]! << 8)]!;
    for (let j = 0; j < 32; j++) out[o + j] = d * signed[at + 2 + j]!;
  }
  return out;
}

/**
 * w = d q + m (Q4_1) or d (q - 8) (Q4_0), q of 4 bits: 16 values a block. A block is d, for Q4_1 also m (float16), and
 * 16 bytes: the low halves are elements 0 to 15, the high halves 16 to 31.
 */
function dequantizeQ4(
  bytes: Uint8Array,
  blockBytes: number,
  valueOf: (q: number, d: number, m: number) => number,
): Float32Array {
  const halves = float16Table();
  const values = new Float32Array(16);
  const out = new Float32Array((bytes.length / blockBytes) * 32);
  for (let at = 0, o = 0; at < bytes.length; at += blockBytes, o += 32) {
    const d = halves[bytes[at]! | (bytes[at + 1]! << 8)]!;
    const m = halves[bytes[at + 2]! | (bytes[at + 3]! << 8)]!;
    for (let q = 0; q < 16; q++) values[q] = valueOf(q, d, m);
    const quants = at + blockBytes - 16;
    for (let j = 0; j < 16; j++) {
      const pair = bytes[quants + j]!;
      out[o + j] = values[pair & 15]!;
      out[o + j + 16] = values[pair >> 4]!;
    }
  }
  return out;
}

/** Whether every value is finite. */
export function allFinite(values: Float32Array): boolean {
  // 0 · x is 0 for finite x and NaN for the others, so that one sum answers for all.
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += 0 * values[i]!;
  return sum === 0;
}
