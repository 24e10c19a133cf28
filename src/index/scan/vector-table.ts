import { errors } from '../../errors.ts';
import { formatBytes } from '../../format.ts';
import { bestRows, type ScoredRow } from './best-rows.ts';
import { kernelBase64 } from './kernel.ts';
import { badVector, pack, vectorBytes, type QuantizedVector } from './quantize.ts';

/** More than any encoder has; as many products of two int8 fit an int32 sum. */
const mostDimensions = 65_536;
/** What a WebAssembly memory can hold. */
const mostBytes = 2 ** 32;
const pageBytes = 65_536;
/** How many values the kernel reads at a time. */
const step = 16;
/** A memory grows where it is, without a copy, so that it can grow by little and waste little. */
const growth = 1.125;

interface Kernel {
  readonly memory: WebAssembly.Memory;
  scan(query: number, queryScale: number, row: number, rows: number, dimensions: number, scores: number): void;
}

/**
 * Vectors in int8, each with its scale, that are scanned whole for every query: exact, on one thread, as fast as one core
 * reads memory. Rows are numbered from 0 in the order in which they were added.
 *
 * They live in the memory of a WebAssembly module, whose SIMD `kernel.wat` describes:
 *
 *   query, int16 [dimensions, padded to 16] | rows, packed [length, dimensions + 4] | room for more | scores, float32 [length]
 *
 * the scores anew after the last row at every scan.
 */
export class VectorTable {
  readonly dimensions: number;
  readonly #kernel: Kernel;
  readonly #rowBytes: number;
  /** Where the first row is. */
  readonly #start: number;
  #length = 0;

  /** With room for `capacity` rows; it grows as needed. Errors: UNSUPPORTED, TOO_LARGE. */
  constructor(dimensions: number, capacity = 0) {
    if (!Number.isInteger(dimensions) || dimensions < 1 || dimensions > mostDimensions)
      throw errors.unsupported(`Vectors of ${dimensions} numbers are not scanned: an encoder has to have 1 to ${mostDimensions}.`);
    this.dimensions = dimensions;
    this.#rowBytes = vectorBytes(dimensions);
    this.#start = 2 * Math.ceil(dimensions / step) * step;
    this.#kernel = new WebAssembly.Instance(kernelModule()).exports as unknown as Kernel;
    this.#reserve(capacity);
  }

  /** How many rows there are. */
  get length(): number {
    return this.#length;
  }

  /** The memory that it holds; what was never written to takes none of the machine's. */
  get bytes(): number {
    return this.#kernel.memory.buffer.byteLength;
  }

  /** Appends a vector and returns its row. Errors: TOO_LARGE. */
  add(vector: QuantizedVector): number {
    this.#check(vector);
    return this.addPacked(pack(vector));
  }

  /** Appends one vector or more as `pack` makes them and returns the first one's row. Errors: BAD_INDEX, TOO_LARGE. */
  addPacked(packed: Uint8Array): number {
    if (packed.length % this.#rowBytes !== 0) throw badVector(packed.length, this.dimensions);
    const row = this.#length;
    this.place(packed.length / this.#rowBytes).set(packed);
    return row;
  }

  /** Appends `count` rows and returns where their packed vectors have to be written before anything else is called. Errors: TOO_LARGE. */
  place(count: number): Uint8Array {
    this.#reserve(this.#length + count);
    const at = this.#start + this.#length * this.#rowBytes;
    this.#length += count;
    return new Uint8Array(this.#kernel.memory.buffer, at, count * this.#rowBytes);
  }

  /** The products of a vector with all rows, [length]; a view that is valid until the next call. Errors: TOO_LARGE. */
  scores(query: QuantizedVector): Float32Array {
    this.#check(query);
    const { memory, scan } = this.#kernel;
    const at = this.#scoresAt(this.#length);
    if (this.#length > 0) {
      const padded = new Int16Array(memory.buffer, 0, this.#start / 2);
      padded.set(query.values);
      scan(0, query.scale, this.#start, this.#length, this.dimensions, at);
    }
    return new Float32Array(memory.buffer, at, this.#length);
  }

  /** The rows with the `top` largest products, best first, as `bestRows` has them. */
  best(query: QuantizedVector, top: number, wanted?: Uint8Array): ScoredRow[] {
    if (wanted !== undefined && wanted.length !== this.#length)
      throw new RangeError(`a mask of ${wanted.length} does not fit ${this.#length} rows`);
    return bestRows(this.scores(query), top, wanted);
  }

  /** Forgets all rows and keeps the memory for those to come; it goes with the table. */
  clear(): void {
    this.#length = 0;
  }

  #check({ values }: QuantizedVector): void {
    if (values.length !== this.dimensions) throw new RangeError(`a vector of ${values.length} does not fit one of ${this.dimensions}`);
  }

  /** Where the scores of so many rows begin: aligned, and past what the last row's last step reads. */
  #scoresAt(rows: number): number {
    return Math.ceil((this.#start + rows * this.#rowBytes + step) / 4) * 4;
  }

  #reserve(rows: number): void {
    const { memory } = this.#kernel;
    const held = this.bytes;
    const needed = this.#scoresAt(rows) + rows * Float32Array.BYTES_PER_ELEMENT;
    if (needed <= held) return;
    if (needed > mostBytes)
      throw errors.tooLarge(
        `${rows} vectors of ${this.dimensions} numbers take ${formatBytes(needed)} and a search holds ${formatBytes(mostBytes)}: leave folders out of the index.`,
      );
    const asked = this.#length === 0 ? needed : Math.min(mostBytes, Math.max(needed, held * growth));
    try {
      memory.grow(Math.ceil(asked / pageBytes) - held / pageBytes);
    } catch (error) {
      throw errors.tooLarge(`${rows} vectors take ${formatBytes(needed)}, which this machine does not give: close programs, or leave folders out of the index.`, error);
    }
  }
}

let compiled: WebAssembly.Module | undefined;

function kernelModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(Buffer.from(kernelBase64, 'base64'));
  return compiled;
}
