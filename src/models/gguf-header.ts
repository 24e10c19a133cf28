import { GGMLQuantizationType } from '@huggingface/gguf';
import { resolve } from 'node:path';
import { errors } from '../errors.ts';
import { BLOCKS, type GgufType } from './gguf-dequantize.ts';
import { readGgufMetadata } from './gguf-metadata.ts';

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
  const { metadata, tensors: infos, end, fileBytes } = await readGgufMetadata(file);
  if (Number(metadata.get('split.count') ?? 1) > 1)
    throw errors.unsupported(`${path} is one part of a model in several files: join them with llama-gguf-split --merge.`);

  const dataStart = alignedStart(end, metadata.get('general.alignment'), path);
  const tensors = new Map<string, GgufTensor>();
  for (const { name, type: number, dimensions, offset } of infos) {
    if (tensors.has(name)) throw errors.badModelFile(`${path} is not a valid GGUF file: it has the tensor ${name} twice.`);
    const type = GGMLQuantizationType[number] as string | undefined;
    if (type === undefined || !Object.hasOwn(BLOCKS, type))
      throw errors.unsupported(
        `${path}: tensor ${name} is stored as ${type ?? `type ${number}`}; these are read: ${Object.keys(BLOCKS).join(', ')}.`,
      );
    const shape = dimensions.map(Number).toReversed();
    const byteLength = sizeInBytes(shape, type as GgufType);
    const start = dataStart + Number(offset);
    if (byteLength === undefined || start + byteLength > fileBytes)
      throw errors.badModelFile(
        `${path} is not a valid GGUF file: tensor ${name} of shape [${shape.join(', ')}] and type ${type} at byte ${start} does not fit into its ${fileBytes} bytes. Fetch it again.`,
      );
    tensors.set(name, { name, type: type as GgufType, shape, file, offset: start, byteLength });
  }
  checkOverlaps([...tensors.values()], path);
  return { file, metadata, tensors };
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
