import { open } from 'node:fs/promises';
import { errors, throwIfCancelled } from '../errors.ts';
import { reason, writeFileAtomically } from '../files.ts';
import type { ByteProgress, StorageType, StoredTensor } from './types.ts';

/** Bytes that a copy or a conversion holds at a time. */
export const CHUNK_BYTES = 4 * 2 ** 20;

/** Bytes an element. */
const ELEMENT_BYTES = { F32: 4, F16: 2, BF16: 2 } as const satisfies Record<StorageType, number>;

/** The tensor's values, widened to float32 exactly. Throws `BAD_MODEL_FILE` where the file has changed meanwhile. */
export async function readTensor(tensor: StoredTensor): Promise<Float32Array> {
  const bytes = await readTensorBytes(tensor);
  return widen(bytes, tensor.type);
}

/** The tensor's bytes as they are stored. Throws `BAD_MODEL_FILE` where the file has changed meanwhile. */
export async function readTensorBytes(tensor: StoredTensor): Promise<Uint8Array> {
  const bytes = new Uint8Array(tensor.byteLength);
  let position = 0;
  for await (const chunk of tensorChunks(tensor)) {
    bytes.set(chunk, position);
    position += chunk.length;
  }
  return bytes;
}

/** The bytes of `tensor` in pieces of at most `chunkBytes`; each is valid until the next is asked for. */
export async function* tensorChunks(
  tensor: Pick<StoredTensor, 'file' | 'offset' | 'byteLength' | 'name'>,
  chunkBytes: number = CHUNK_BYTES,
): AsyncGenerator<Uint8Array> {
  const file = await open(tensor.file, 'r').catch((error: unknown) => {
    throw errors.notFound(`${tensor.file} cannot be read: ${reason(error)}.`, error);
  });
  try {
    const buffer = new Uint8Array(Math.min(chunkBytes, tensor.byteLength));
    for (let done = 0; done < tensor.byteLength; ) {
      const wanted = Math.min(buffer.length, tensor.byteLength - done);
      await fill(file, buffer, wanted, tensor.offset + done, tensor);
      done += wanted;
      yield buffer.subarray(0, wanted);
    }
  } finally {
    await file.close();
  }
}

async function fill(
  file: Awaited<ReturnType<typeof open>>,
  buffer: Uint8Array,
  wanted: number,
  position: number,
  tensor: { readonly name: string; readonly file: string },
): Promise<void> {
  for (let got = 0; got < wanted; ) {
    const { bytesRead } = await file.read(buffer, got, wanted - got, position + got);
    if (bytesRead === 0)
      throw errors.badModelFile(`${tensor.file} ended in the middle of ${tensor.name}: it was changed while it was read.`);
    got += bytesRead;
  }
}

/** Little-endian bytes of `type` as float32, exactly. */
export function widen(bytes: Uint8Array, type: StorageType): Float32Array {
  // A copy, because the bytes may start at an offset that no typed array can.
  const aligned = bytes.byteOffset % ELEMENT_BYTES[type] === 0 ? bytes : new Uint8Array(bytes);
  if (type === 'F32') return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.length / 4);
  const halves = new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.length / 2);
  const out = new Float32Array(halves.length);
  if (type === 'F16') {
    const table = float16Table();
    for (let i = 0; i < halves.length; i++) out[i] = table[halves[i]!]!;
  } else {
    const bits = new Uint32Array(out.buffer);
    for (let i = 0; i < halves.length; i++) bits[i] = halves[i]! << 16;
  }
  return out;
}

let table: Float32Array | undefined;

/** All 65,536 values of float16, indexed by their bits. */
export function float16Table(): Float32Array {
  if (table) return table;
  table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 31) table[bits] = fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
    else if (exponent === 0) table[bits] = sign * fraction * 2 ** -24;
    else table[bits] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  return table;
}

/** A tensor to be written, its bytes in pieces so that no tensor need fit in memory. */
export interface TensorSource {
  readonly name: string;
  readonly type: StorageType;
  readonly shape: readonly number[];
  /** Little-endian, as many bytes in all as shape and type say; a piece may be reused once the next is asked for. */
  readonly chunks: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** A tensor of another file, byte for byte. */
export function storedSource(tensor: StoredTensor, name: string = tensor.name): TensorSource {
  return { name, type: tensor.type, shape: tensor.shape, chunks: () => tensorChunks(tensor) };
}

/** A float32 tensor that is in memory. */
export function float32Source(name: string, shape: readonly number[], values: Float32Array): TensorSource {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { name, type: 'F32', shape, chunks: () => [bytes] };
}

/**
 * Writes a safetensors file, atomically and in bounded memory. The data section starts at a multiple of 8; tensors
 * that need more alignment come first (float32 before the 16-bit types), as the reference implementation orders them.
 * Throws `WRITE_FAILED`, `CANCELLED`, or what a source throws; the old file then stands.
 */
export async function writeSafetensors(
  path: string,
  tensors: readonly TensorSource[],
  options: {
    readonly metadata?: Readonly<Record<string, string>>;
    readonly signal?: AbortSignal | undefined;
    readonly onProgress?: ((progress: ByteProgress) => void) | undefined;
  } = {},
): Promise<void> {
  const ordered = tensors.toSorted((a, b) => ELEMENT_BYTES[b.type] - ELEMENT_BYTES[a.type]);
  const { header, dataBytes } = makeHeader(ordered, options.metadata ?? { format: 'pt' });
  let doneBytes = 0;
  const write = async (file: Awaited<ReturnType<typeof open>>): Promise<void> => {
    await file.writeFile(header);
    for (const tensor of ordered) {
      const end = doneBytes + byteLength(tensor);
      for await (const chunk of tensor.chunks()) {
        throwIfCancelled(options.signal);
        doneBytes += chunk.length;
        await file.writeFile(chunk);
        options.onProgress?.({ what: tensor.name, doneBytes, totalBytes: dataBytes });
      }
      if (doneBytes !== end) throw new Error(`${tensor.name} was given ${doneBytes - end} bytes more than its shape says`);
    }
  };
  await writeFileAtomically(path, write, { signal: options.signal });
}

function byteLength({ shape, type }: TensorSource): number {
  return shape.reduce((product, length) => product * length, ELEMENT_BYTES[type]);
}

function makeHeader(
  tensors: readonly TensorSource[],
  metadata: Readonly<Record<string, string>>,
): { header: Buffer; dataBytes: number } {
  const entries: Array<[string, unknown]> = [['__metadata__', metadata]];
  let offset = 0;
  for (const tensor of tensors) {
    const end = offset + byteLength(tensor);
    entries.push([tensor.name, { dtype: tensor.type, shape: tensor.shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  const json = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const padded = Math.ceil(json.length / 8) * 8;
  const header = Buffer.alloc(8 + padded, ' ');
  header.writeBigUInt64LE(BigInt(padded));
  json.copy(header, 8);
  return { header, dataBytes: offset };
}
