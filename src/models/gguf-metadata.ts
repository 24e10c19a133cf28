import { isUtf8 } from 'node:buffer';
import { open, stat } from 'node:fs/promises';
import { errors, type L3PruneError } from '../errors.ts';
import { reason } from '../files.ts';

/** Limits on a header, far above any real model's. */
const MAX_HEADER_BYTES = 32 * 2 ** 20;
const MAX_KEYS = 10_000;
const MAX_TENSORS = 100_000;
const MAX_DIMENSIONS = 4;
const MAX_ARRAY_LENGTH = 1_000_000;
const MAX_ARRAY_ELEMENTS = 4_000_000;
const MAX_ARRAY_DEPTH = 2;

/** What a GGUF file says before its data, as it says it. Lengths are within the limits; nothing else is checked. */
export interface GgufMetadata {
  readonly fileBytes: number;
  /** Strings, numbers, booleans and arrays of them; 64-bit integers are bigints. */
  readonly metadata: ReadonlyMap<string, unknown>;
  readonly tensors: ReadonlyArray<{
    readonly name: string;
    /** The innermost dimension first. */
    readonly dimensions: readonly bigint[];
    /** ggml's number. */
    readonly type: number;
    /** From the start of the data. */
    readonly offset: bigint;
  }>;
  /** First byte after the header, before it is aligned. */
  readonly end: number;
}

/**
 * Reads a GGUF header (version 2 or 3, little-endian), every length checked before it is followed. Of `@huggingface/gguf`
 * we use the names of the types alone: its 0.4.6 cuts off a string that ends an array across its 2 MB steps, reads what
 * lies past the end of a file as zeros, and starts long arrays over at each step (5 s for a vocabulary of 250,000).
 * Throws `NOT_FOUND`, `BAD_MODEL_FILE` or `UNSUPPORTED`.
 * Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
export async function readGgufMetadata(path: string): Promise<GgufMetadata> {
  const { bytes, fileBytes } = await readStart(path);
  const cursor = new Cursor(bytes, bytes.length < fileBytes, path);
  if (bytes.toString('latin1', 0, 4) !== 'GGUF') throw cursor.bad('it does not start with GGUF');
  cursor.skip(4);
  checkVersion(cursor.u32(), path);
  const tensorCount = cursor.count(MAX_TENSORS, 'tensors');
  const keyCount = cursor.count(MAX_KEYS, 'keys');

  const metadata = new Map<string, unknown>();
  for (let i = 0; i < keyCount; i++) {
    const key = cursor.string();
    if (metadata.has(key)) throw cursor.bad(`the key ${JSON.stringify(key.slice(0, 100))} is there twice`);
    metadata.set(key, readValue(cursor, cursor.u32(), 0));
  }
  const tensors: Array<GgufMetadata['tensors'][number]> = [];
  for (let i = 0; i < tensorCount; i++) {
    const name = cursor.string();
    const dimensions = Array.from({ length: cursor.count(MAX_DIMENSIONS, 'dimensions', 4) }, () => cursor.u64());
    tensors.push({ name, dimensions, type: cursor.u32(), offset: cursor.u64() });
  }
  return { fileBytes, metadata, tensors, end: cursor.position };
}

function checkVersion(version: number, path: string): void {
  if (version === 2 || version === 3) return;
  if (version === 0x02000000 || version === 0x03000000)
    throw errors.unsupported(`${path} is a big-endian GGUF file: use the little-endian one.`);
  throw errors.unsupported(`${path} is GGUF version ${version}: versions 2 and 3 are read.`);
}

/** Readers by the format's number of a type; 9, missing here, is an array. */
const SCALARS: ReadonlyArray<((cursor: Cursor) => unknown) | undefined> = [
  (c) => c.bytes.readUInt8(c.skip(1)),
  (c) => c.bytes.readInt8(c.skip(1)),
  (c) => c.bytes.readUInt16LE(c.skip(2)),
  (c) => c.bytes.readInt16LE(c.skip(2)),
  (c) => c.bytes.readUInt32LE(c.skip(4)),
  (c) => c.bytes.readInt32LE(c.skip(4)),
  (c) => c.bytes.readFloatLE(c.skip(4)),
  (c) => c.bytes.readUInt8(c.skip(1)) !== 0,
  (c) => c.string(),
  undefined,
  (c) => c.bytes.readBigUInt64LE(c.skip(8)),
  (c) => c.bytes.readBigInt64LE(c.skip(8)),
  (c) => c.bytes.readDoubleLE(c.skip(8)),
];
const ARRAY = 9;

function readValue(cursor: Cursor, type: number, depth: number): unknown {
  const scalar = SCALARS[type];
  if (scalar) return scalar(cursor);
  if (type !== ARRAY) throw cursor.bad(`a value has the unknown type ${type}`);
  if (depth === MAX_ARRAY_DEPTH) throw cursor.bad(`arrays are nested deeper than ${MAX_ARRAY_DEPTH} levels`);
  const itemType = cursor.u32();
  const length = cursor.count(MAX_ARRAY_LENGTH, 'items in an array');
  cursor.addElements(length);
  const items: unknown[] = [];
  for (let i = 0; i < length; i++) items.push(readValue(cursor, itemType, depth + 1));
  return items;
}

async function readStart(path: string): Promise<{ bytes: Buffer; fileBytes: number }> {
  // Asked before it is opened, because opening a pipe would wait for a writer.
  const found = await stat(path).catch((error: unknown) => {
    throw errors.notFound(`${path} cannot be read: ${reason(error)}.`, error);
  });
  if (!found.isFile()) throw errors.badModelFile(`${path} is not a file.`);
  const file = await open(path, 'r').catch((error: unknown) => {
    throw errors.notFound(`${path} cannot be read: ${reason(error)}.`, error);
  });
  try {
    const bytes = Buffer.alloc(Math.min(found.size, MAX_HEADER_BYTES));
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    return { bytes: bytes.subarray(0, bytesRead), fileBytes: found.size };
  } finally {
    await file.close();
  }
}

/** A position in the header; every step past its end is a sentence. */
class Cursor {
  position = 0;
  readonly bytes: Buffer;
  private elements = 0;
  private readonly hasMore: boolean;
  private readonly path: string;

  constructor(bytes: Buffer, hasMore: boolean, path: string) {
    this.bytes = bytes;
    this.hasMore = hasMore;
    this.path = path;
  }

  bad(clause: string): L3PruneError {
    return errors.badModelFile(`${this.path} is not a valid GGUF file: ${clause}. Fetch it again.`);
  }

  /** Moves on; returns where it was. */
  skip(length: number): number {
    const start = this.position;
    if (length > this.bytes.length - start)
      throw this.bad(this.hasMore ? `its header is longer than ${MAX_HEADER_BYTES} bytes` : 'it ends inside its header');
    this.position += length;
    return start;
  }

  u32(): number {
    return this.bytes.readUInt32LE(this.skip(4));
  }

  u64(): bigint {
    return this.bytes.readBigUInt64LE(this.skip(8));
  }

  /** A number of things, of 8 bytes or 4, that is at most `max`. */
  count(max: number, things: string, width: 4 | 8 = 8): number {
    const value = width === 4 ? BigInt(this.u32()) : this.u64();
    if (value > max) throw this.bad(`it claims ${value} ${things}`);
    return Number(value);
  }

  addElements(count: number): void {
    this.elements += count;
    if (this.elements > MAX_ARRAY_ELEMENTS) throw this.bad(`its arrays hold more than ${MAX_ARRAY_ELEMENTS} items`);
  }

  string(): string {
    const length = this.count(MAX_HEADER_BYTES, 'bytes in a string');
    const start = this.skip(length);
    const bytes = this.bytes.subarray(start, start + length);
    if (!isUtf8(bytes)) throw this.bad(`the string at byte ${start} is not UTF-8`);
    return bytes.toString('utf8');
  }
}
