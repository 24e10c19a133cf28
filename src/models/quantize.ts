import { stat } from 'node:fs/promises';
import { throwIfCancelled } from '../errors.ts';
import { writeFileAtomically } from '../files.ts';
import { decoderTensors, findPrefix } from './config.ts';
import { readTensor, tensorChunks } from './tensor-data.ts';
import type { BaseBits, ByteProgress, Checkpoint, FilePart, QuantizedTensor, StoredTensor, Weight } from './types.ts';

/** Numbers of a row that share a scale in 4 bits, as in GGUF's Q4_1. */
const blockOf4Bits = 32;
/** Tensors begin at multiples of it, which processors like. */
const alignment = 64;

/**
 * The checkpoint with the projections of its first layers in few bits; embedding, norms and biases stay as they are. The
 * weights that programs then compute with lie in `file`, which is written unless one of this size is there: a file is of
 * one model, depth and number of bits.
 *
 * 8 bits: symmetric, one scale a row. 4 bits: a scale and a minimum for 32 numbers, as in GGUF's Q4_1, so that weights
 * that come from there keep their values; rows that 32 does not divide have one block.
 *
 * Errors: BAD_MODEL_FILE, WRITE_FAILED, CANCELLED.
 */
export async function quantizeBase(
  checkpoint: Checkpoint,
  { layers, bits, file, signal, onProgress }: {
    readonly layers: number;
    readonly bits: BaseBits;
    readonly file: string;
    readonly signal?: AbortSignal | undefined;
    readonly onProgress?: ((progress: ByteProgress) => void) | undefined;
  },
): Promise<Checkpoint> {
  const { weights, byteLength } = layOut(checkpoint, { layers, bits, file });
  const found = await stat(file).catch(() => undefined);
  if (found?.size !== byteLength) {
    const write = async (handle: FileHandle): Promise<void> => {
      for (const [name, weight] of weights) {
        throwIfCancelled(signal);
        onProgress?.({ what: `the base in ${bits} bits`, doneBytes: firstByte(weight), totalBytes: byteLength });
        const stored = checkpoint.tensors.get(name)!;
        if ('bits' in weight) await writeQuantized(handle, weight, await readTensor(stored));
        else await copy(handle, stored, weight.offset);
      }
      await handle.truncate(byteLength);
    };
    await writeFileAtomically(file, write, { signal });
  }
  return { ...checkpoint, quantized: new Map(weights) };
}

type FileHandle = Parameters<Exclude<Parameters<typeof writeFileAtomically>[1], string | Uint8Array>>[0];

/** What lies where: a function of the model's shapes, the depth and the bits. */
function layOut({ config, tensors }: Checkpoint, { layers, bits, file }: { layers: number; bits: BaseBits; file: string }): { weights: [string, Weight][]; byteLength: number } {
  const prefix = findPrefix(tensors);
  let end = 0;
  const take = (byteLength: number): FilePart => {
    const offset = Math.ceil(end / alignment) * alignment;
    end = offset + byteLength;
    return { file, offset, byteLength };
  };
  const weights = [...decoderTensors({ ...config, numHiddenLayers: layers })].map(({ name }): [string, Weight] => {
    const stored = tensors.get(prefix + name)!;
    if (!name.endsWith('_proj.weight')) return [stored.name, { ...stored, ...take(stored.byteLength) }];
    const shape = stored.shape as readonly [number, number];
    const [outputs, inputs] = shape;
    const block = bits === 4 && inputs % blockOf4Bits === 0 ? blockOf4Bits : inputs;
    const numbers = outputs * inputs;
    const perBlock = 4 * (numbers / block);
    const quants = take(Math.ceil((numbers * bits) / 8));
    return [stored.name, { name: stored.name, shape, bits, block, quants, scales: take(perBlock), minimums: bits === 4 ? take(perBlock) : undefined }];
  });
  return { weights, byteLength: end };
}

function firstByte(weight: Weight): number {
  return 'bits' in weight ? weight.quants.offset : weight.offset;
}

async function copy(handle: FileHandle, stored: StoredTensor, offset: number): Promise<void> {
  let position = offset;
  for await (const chunk of tensorChunks(stored)) {
    await writeAt(handle, chunk, position);
    position += chunk.length;
  }
}

async function writeQuantized(handle: FileHandle, { bits, block, quants, scales, minimums }: QuantizedTensor, weights: Float32Array): Promise<void> {
  const quantized = bits === 8 ? quantize8(weights, block) : quantize4(weights, block);
  await writeAt(handle, quantized.quants, quants.offset);
  await writeAt(handle, bytesOf(quantized.scales), scales.offset);
  if (minimums !== undefined) await writeAt(handle, bytesOf(quantized.minimums!), minimums.offset);
}

interface Quantized {
  readonly quants: Uint8Array;
  readonly scales: Float32Array;
  readonly minimums?: Float32Array;
}

/** w ≈ scale q with q of -127 to 127: the largest number of a block is met. */
export function quantize8(weights: Float32Array, block: number): Quantized {
  const quants = new Int8Array(weights.length);
  const scales = new Float32Array(weights.length / block);
  for (let b = 0; b < scales.length; b++) {
    let largest = 0;
    for (let i = b * block; i < (b + 1) * block; i++) largest = Math.max(largest, Math.abs(weights[i]!));
    scales[b] = largest / 127;
    const scale = scales[b]!;
    if (scale > 0) for (let i = b * block; i < (b + 1) * block; i++) quants[i] = Math.max(-127, Math.min(127, Math.round(weights[i]! / scale)));
  }
  return { quants: new Uint8Array(quants.buffer), scales };
}

/** w ≈ scale q + minimum with q of 0 to 15: the least and the largest number of a block are met. */
export function quantize4(weights: Float32Array, block: number): Quantized {
  const quants = new Uint8Array(Math.ceil(weights.length / 2));
  const scales = new Float32Array(weights.length / block);
  const minimums = new Float32Array(weights.length / block);
  for (let b = 0; b < scales.length; b++) {
    let [least, largest] = [Infinity, -Infinity];
    for (let i = b * block; i < (b + 1) * block; i++) {
      least = Math.min(least, weights[i]!);
      largest = Math.max(largest, weights[i]!);
    }
    minimums[b] = least;
    scales[b] = (largest - least) / 15;
    const scale = scales[b]!;
    if (scale === 0) continue;
    for (let i = b * block; i < (b + 1) * block; i++) {
      const q = Math.min(15, Math.round((weights[i]! - least) / scale));
      quants[i >> 1]! |= i % 2 === 0 ? q : q << 4;
    }
  }
  return { quants, scales, minimums };
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

async function writeAt(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
}
