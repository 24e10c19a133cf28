import type { FileHandle } from 'node:fs/promises';
import { errors, type L3PruneError } from '../errors.ts';
import { parseJson, type JsonLimits } from './json.ts';
import type { StorageType, StoredTensor } from './types.ts';

/** What one safetensors file holds. Every bound has been checked against the file's size. */
export interface SafetensorsHeader {
  readonly tensors: Map<string, StoredTensor>;
  /** Tensors of types that we do not compute with (integers, float8, …), by name; they matter only when needed. */
  readonly otherTypes: Map<string, string>;
}

/** The cap of the reference implementation. */
const MAX_HEADER_BYTES = 100_000_000;
const MAX_RANK = 16;
const JSON_LIMITS: JsonLimits = { maxBytes: MAX_HEADER_BYTES, maxDepth: 3, maxValues: 6_000_000 };

/** Bits an element, of every type that the format knows. */
const BITS: ReadonlyMap<string, number> = new Map([
  ...(['F4'] as const).map((type) => [type, 4] as const),
  ...(['F6_E2M3', 'F6_E3M2'] as const).map((type) => [type, 6] as const),
  ...(['BOOL', 'U8', 'I8', 'F8_E5M2', 'F8_E4M3', 'F8_E8M0', 'F8_E4M3FNUZ', 'F8_E5M2FNUZ'] as const).map(
    (type) => [type, 8] as const,
  ),
  ...(['U16', 'I16', 'F16', 'BF16'] as const).map((type) => [type, 16] as const),
  ...(['U32', 'I32', 'F32'] as const).map((type) => [type, 32] as const),
  ...(['U64', 'I64', 'F64', 'C64'] as const).map((type) => [type, 64] as const),
]);

/**
 * Reads and checks the header of one file: its length, its JSON, and that the tensors fill the data section exactly,
 * without overlap or hole, as the reference implementation asks. Throws `BAD_MODEL_FILE`.
 * Format: https://github.com/huggingface/safetensors#format
 */
export async function readHeader(file: FileHandle, path: string): Promise<SafetensorsHeader> {
  const bad = (clause: string): L3PruneError =>
    errors.badModelFile(`${path} is not a valid safetensors file: ${clause}. Fetch or export it again.`);
  const { size } = await file.stat();
  const headerLength = await readHeaderLength(file, size, bad);
  const dataStart = 8 + headerLength;
  const entries = parseHeader(await readExactly(file, 8, headerLength, bad), bad);

  const found: Entry[] = [];
  for (const [name, value] of Object.entries(entries)) {
    if (name === '__metadata__') checkMetadata(value, bad);
    else found.push(parseEntry(name, value, size - dataStart, bad));
  }
  checkLayout(found, size - dataStart, bad);

  const header: SafetensorsHeader = { tensors: new Map(), otherTypes: new Map() };
  for (const { name, type, shape, begin, end } of found) {
    if (isStorageType(type))
      header.tensors.set(name, { name, type, shape, file: path, offset: dataStart + begin, byteLength: end - begin });
    else header.otherTypes.set(name, type);
  }
  return header;
}

interface Entry {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly number[];
  /** From the start of the data section. */
  readonly begin: number;
  readonly end: number;
}

type Fail = (clause: string) => L3PruneError;

async function readHeaderLength(file: FileHandle, size: number, bad: Fail): Promise<number> {
  if (size < 8) throw bad(`it has ${size} bytes`);
  const length = (await readExactly(file, 0, 8, bad)).readBigUInt64LE();
  if (length > MAX_HEADER_BYTES) throw bad(`its header claims ${length} bytes`);
  if (Number(length) > size - 8) throw bad(`its header claims ${length} bytes and the file has ${size}`);
  return Number(length);
}

async function readExactly(file: FileHandle, position: number, length: number, bad: Fail): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, position);
  if (bytesRead !== length) throw bad('it ends early');
  return buffer;
}

function parseHeader(bytes: Buffer, bad: Fail): Record<string, unknown> {
  if (bytes[0] !== 0x7b) throw bad('its header does not start with {');
  try {
    return parseJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes), JSON_LIMITS) as Record<string, unknown>;
  } catch (error) {
    if (error instanceof TypeError) throw bad('its header is not UTF-8');
    throw bad(`in its header, ${(error as Error).message}`);
  }
}

function checkMetadata(value: unknown, bad: Fail): void {
  if (!isRecord(value) || Object.values(value).some((item) => typeof item !== 'string'))
    throw bad('its __metadata__ is not a map of strings');
}

function parseEntry(name: string, value: unknown, dataLength: number, bad: Fail): Entry {
  const tensor = `tensor ${JSON.stringify(name.slice(0, 200))}`;
  if (!isRecord(value)) throw bad(`${tensor} is not described by an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  const bits = typeof dtype === 'string' ? BITS.get(dtype) : undefined;
  if (bits === undefined) throw bad(`${tensor} has the type ${JSON.stringify(dtype)?.slice(0, 40)}`);
  if (!isSizes(shape) || shape.length > MAX_RANK) throw bad(`${tensor} has no valid shape`);
  if (!isSizes(offsets) || offsets.length !== 2) throw bad(`${tensor} has no valid offsets`);
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > dataLength) throw bad(`${tensor} lies at ${begin} to ${end} of ${dataLength} bytes`);
  const elements = shape.reduce((product, length) => product * length, 1);
  if (!Number.isSafeInteger(elements) || elements * bits !== (end - begin) * 8)
    throw bad(`${tensor} of shape [${shape.join(', ')}] and type ${dtype as string} has ${end - begin} bytes`);
  return { name, type: dtype as string, shape, begin, end };
}

/** The tensors, in order of their offsets, lie end to end and fill the file. */
function checkLayout(entries: readonly Entry[], dataLength: number, bad: Fail): void {
  let position = 0;
  for (const { name, begin, end } of entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin < position) throw bad(`tensor ${JSON.stringify(name.slice(0, 200))} overlaps another`);
    if (begin > position) throw bad(`there is a hole before tensor ${JSON.stringify(name.slice(0, 200))}`);
    position = end;
  }
  if (position !== dataLength) throw bad(`${dataLength - position} bytes after its last tensor belong to none`);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && (item as number) >= 0);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isStorageType(type: string): type is StorageType {
  return type === 'F32' || type === 'F16' || type === 'BF16';
}
