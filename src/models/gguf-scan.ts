import { open } from 'node:fs/promises';
import { errors, type L3PruneError } from '../errors.ts';
import { reason } from '../files.ts';

/** Limits on a header, far above any real model's, and within those of the library that reads it after the scan. */
const MAX_HEADER_BYTES = 32 * 2 ** 20;
const MAX_KEYS = 10_000;
const MAX_TENSORS = 100_000;
const MAX_DIMENSIONS = 4;
const MAX_ARRAY_LENGTH = 1_000_000;
const MAX_ARRAY_ELEMENTS = 4_000_000;
const MAX_ARRAY_DEPTH = 2;

/** Bytes of a value of each type; 8 is a string and 9 an array. */
const VALUE_BYTES = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8] as const;
const STRING = 8;
const ARRAY = 9;

/** What the scan knows of a header that the library does not say. */
export interface HeaderScan {
  readonly fileBytes: number;
  /** UTF-8 bytes of a key's strings, all together. */
  readonly stringBytes: ReadonlyMap<string, number>;
}

/**
 * Walks a GGUF header (version 2 or 3, little-endian) without keeping any of it, and checks every length against the
 * limits above and against the file. The library that reads the values afterwards takes what lies past the end of a
 * file for zeros and doubles its work on long arrays, so it is only shown headers that passed here.
 * Throws `NOT_FOUND`, `BAD_MODEL_FILE` or `UNSUPPORTED`.
 * Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
export async function scanHeader(path: string): Promise<HeaderScan> {
  const { bytes, fileBytes } = await readStart(path);
  const cursor = new Cursor(bytes, bytes.length < fileBytes, path);
  if (bytes.toString('latin1', 0, 4) !== 'GGUF') throw cursor.bad('it does not start with GGUF');
  cursor.skip(4);
  checkVersion(cursor.u32(), path);
  const tensorCount = cursor.count(MAX_TENSORS, 'tensors');
  const keyCount = cursor.count(MAX_KEYS, 'keys');

  const stringBytes = new Map<string, number>();
  for (let i = 0; i < keyCount; i++) {
    const key = cursor.string();
    if (stringBytes.has(key)) throw cursor.bad(`the key ${JSON.stringify(key.slice(0, 100))} is there twice`);
    stringBytes.set(key, skipValue(cursor, cursor.u32(), 0));
  }
  const names = new Set<string>();
  for (let i = 0; i < tensorCount; i++) {
    const name = cursor.string();
    if (names.has(name)) throw cursor.bad(`the tensor ${JSON.stringify(name.slice(0, 100))} is there twice`);
    names.add(name);
    cursor.skip(cursor.count(MAX_DIMENSIONS, 'dimensions', 4) * 8 + 4 + 8);
  }
  return { fileBytes, stringBytes };
}

function checkVersion(version: number, path: string): void {
  if (version === 2 || version === 3) return;
  if (version === 0x02000000 || version === 0x03000000)
    throw errors.unsupported(`${path} is a big-endian GGUF file: use the little-endian one.`);
  throw errors.unsupported(`${path} is GGUF version ${version}: versions 2 and 3 are read.`);
}

/** Moves past a value; returns the UTF-8 bytes of the strings in it. */
function skipValue(cursor: Cursor, type: number, depth: number): number {
  if (type === STRING) return cursor.skipString();
  if (type !== ARRAY) {
    const bytes = VALUE_BYTES[type];
    if (bytes === undefined) throw cursor.bad(`a value has the unknown type ${type}`);
    cursor.skip(bytes);
    return 0;
  }
  if (depth === MAX_ARRAY_DEPTH) throw cursor.bad(`arrays are nested deeper than ${MAX_ARRAY_DEPTH} levels`);
  const itemType = cursor.u32();
  const length = cursor.count(MAX_ARRAY_LENGTH, 'items in an array');
  cursor.addElements(length);
  let strings = 0;
  for (let i = 0; i < length; i++) strings += skipValue(cursor, itemType, depth + 1);
  return strings;
}

async function readStart(path: string): Promise<{ bytes: Buffer; fileBytes: number }> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw errors.notFound(`${path} cannot be read: ${reason(error)}.`, error);
  });
  try {
    const found = await file.stat();
    if (!found.isFile()) throw errors.badModelFile(`${path} is not a file.`);
    const bytes = Buffer.alloc(Math.min(found.size, MAX_HEADER_BYTES));
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    return { bytes: bytes.subarray(0, bytesRead), fileBytes: found.size };
  } finally {
    await file.close();
  }
}

/** A position in the header; every step past its end is a sentence. */
class Cursor {
  private at = 0;
  private elements = 0;
  private readonly bytes: Buffer;
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

  skip(bytes: number): number {
    const start = this.at;
    if (bytes > this.bytes.length - start)
      throw this.bad(this.hasMore ? `its header is longer than ${MAX_HEADER_BYTES} bytes` : 'it ends inside its header');
    this.at += bytes;
    return start;
  }

  u32(): number {
    return this.bytes.readUInt32LE(this.skip(4));
  }

  /** A number of things, of 8 bytes or 4, that is at most `max`. */
  count(max: number, things: string, width: 4 | 8 = 8): number {
    const value = width === 4 ? BigInt(this.u32()) : this.bytes.readBigUInt64LE(this.skip(8));
    if (value > max) throw this.bad(`it claims ${value} ${things}`);
    return Number(value);
  }

  addElements(count: number): void {
    this.elements += count;
    if (this.elements > MAX_ARRAY_ELEMENTS) throw this.bad(`its arrays hold more than ${MAX_ARRAY_ELEMENTS} items`);
  }

  skipString(): number {
    const length = this.count(MAX_HEADER_BYTES, 'bytes in a string');
    this.skip(length);
    return length;
  }

  string(): string {
    const length = this.skipString();
    return this.bytes.toString('utf8', this.at - length, this.at);
  }
}
