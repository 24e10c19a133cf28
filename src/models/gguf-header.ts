import { GGMLQuantizationType, gguf } from '@huggingface/gguf';
import { resolve } from 'node:path';
import { errors } from '../errors.ts';
import { BLOCKS, type GgufType } from './gguf-dequantize.ts';
import { scanHeader } from './gguf-scan.ts';

/** One tensor of a GGUF file; every bound has been checked against the file's size. */
export interface GgufTensor {
  readonly name: string;
  readonly type: GgufType;
  /** Row-major, as everywhere here: [out, in]. The file has it the other way round. */
  readonly shape: readonly number[];
  readonly file: string;
  /** First byte, from the start of the file. */
  readonly offset: number;
  readonly byteLength: number;
}

/** A GGUF file's header. */
export interface GgufHeader {
  readonly file: string;
  /** Strings, numbers, booleans and arrays of them; 64-bit integers are bigints. */
  readonly metadata: ReadonlyMap<string, unknown>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}

/** Reads the header of a GGUF file, version 2 or 3. Throws `NOT_FOUND`, `BAD_MODEL_FILE` or `UNSUPPORTED`. */
export async function readGgufHeader(path: string): Promise<GgufHeader> {
  const file = resolve(path);
  const scan = await scanHeader(file);
  const parsed = await gguf(file, { allowLocalFile: true }).catch((error: unknown) => {
    throw errors.badModelFile(`${path} is not a valid GGUF file: ${(error as Error).message}.`, error);
  });
  const metadata = new Map<string, unknown>(Object.entries(parsed.metadata));
  for (const key of ['tokenizer.ggml.tokens', 'tokenizer.ggml.merges'])
    if (metadata.has(key) && utf8Bytes(metadata.get(key)) !== scan.stringBytes.get(key))
      throw errors.badModelFile(`${path} is not a valid GGUF file: the strings of ${key} are not UTF-8.`);
  if (Number(metadata.get('split.count') ?? 1) > 1)
    throw errors.unsupported(`${path} is one part of a model in several files: join them with llama-gguf-split --merge.`);

  const dataStart = alignedStart(parsed.tensorInfoByteRange[1], metadata.get('general.alignment'), path);
  const tensors = new Map<string, GgufTensor>();
  for (const { name, dtype, shape, offset } of parsed.tensorInfos) {
    const type = GGMLQuantizationType[dtype] as string | undefined;
    if (type === undefined || !Object.hasOwn(BLOCKS, type))
      throw errors.unsupported(
        `${path}: tensor ${name} is stored as ${type ?? `type ${dtype}`}; these are read: ${Object.keys(BLOCKS).join(', ')}.`,
      );
    const lengths = shape.map(Number).toReversed();
    const byteLength = sizeInBytes(lengths, type as GgufType);
    const start = dataStart + Number(offset);
    if (byteLength === undefined || start + byteLength > scan.fileBytes)
      throw errors.badModelFile(
        `${path} is not a valid GGUF file: tensor ${name} of shape [${lengths.join(', ')}] and type ${type} at byte ${start} does not fit into its ${scan.fileBytes} bytes. Fetch it again.`,
      );
    tensors.set(name, { name, type: type as GgufType, shape: lengths, file, offset: start, byteLength });
  }
  checkOverlaps([...tensors.values()], path);
  return { file, metadata, tensors };
}

function utf8Bytes(strings: unknown): number {
  if (!Array.isArray(strings)) return -1;
  return strings.reduce<number>((sum, item) => sum + (typeof item === 'string' ? Buffer.byteLength(item) : 0), 0);
}

function alignedStart(headerEnd: number, alignment: unknown, path: string): number {
  const step = Number(alignment ?? 32);
  if (!Number.isInteger(Math.log2(step)) || step > 2 ** 20)
    throw errors.badModelFile(`${path} is not a valid GGUF file: its alignment is ${String(alignment).slice(0, 40)}.`);
  return Math.ceil(headerEnd / step) * step;
}

/** Undefined where the shape is none: empty, too large, or with rows that are no whole blocks. */
function sizeInBytes(shape: readonly number[], type: GgufType): number | undefined {
  const { elements, bytes } = BLOCKS[type];
  const count = shape.reduce((product, length) => product * length, 1);
  if (shape.length === 0 || count === 0 || !Number.isSafeInteger(count) || shape.at(-1)! % elements !== 0) return undefined;
  return (count / elements) * bytes;
}

function checkOverlaps(tensors: readonly GgufTensor[], path: string): void {
  let end = 0;
  for (const tensor of tensors.toSorted((a, b) => a.offset - b.offset)) {
    if (tensor.offset < end)
      throw errors.badModelFile(`${path} is not a valid GGUF file: tensor ${tensor.name} overlaps another. Fetch it again.`);
    end = tensor.offset + tensor.byteLength;
  }
}
