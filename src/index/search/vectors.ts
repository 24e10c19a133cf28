import { bestRows } from '../scan/best-rows.ts';
import type { QuantizedVector } from '../scan/quantize.ts';
import { VectorTable } from '../scan/vector-table.ts';
import type { IndexReader, RankedChunk } from '../store/reader.ts';
import type { StoredEncoder } from '../store/types.ts';

/** What of the chunks counts for a ranking. */
export interface Wanted {
  readonly files: ReadonlySet<number> | undefined;
  readonly kinds: ReadonlySet<number> | undefined;
}

/** A row of numbers that grows. */
class Column {
  #values = new Int32Array(1024);
  length = 0;

  push(value: number): void {
    if (this.length === this.#values.length) {
      const larger = new Int32Array(Math.ceil(this.length * 1.5));
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.length++] = value;
  }

  values(): Int32Array {
    return this.#values.subarray(0, this.length);
  }
}

/** The place of a value in ascending numbers; -1 where it is not there. */
function placeOf(values: Int32Array, value: number): number {
  let low = 0;
  let high = values.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const found = values[middle]!;
    if (found === value) return middle;
    if (found < value) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

/** The vectors of one encoder in memory, and the chunks that have them. */
export class ChunkVectors {
  readonly encoder: StoredEncoder;
  readonly #table: VectorTable;
  /** Ids of the table's rows, ascending. */
  readonly #vectorIds = new Column();
  readonly #chunkIds = new Column();
  readonly #chunkRows = new Column();
  readonly #chunkFiles = new Column();
  readonly #chunkKinds = new Column();
  /** Places of chunks that turned out to be gone. */
  readonly #dead = new Set<number>();
  #lastChunk = 0;
  #lastVector = 0;

  constructor(encoder: StoredEncoder) {
    this.encoder = encoder;
    this.#table = new VectorTable(encoder.dimensions);
  }

  /** Chunks that can be found by their vectors. */
  get length(): number {
    return this.#chunkIds.length - this.#dead.size;
  }

  /** Held by the vectors, in bytes. */
  get bytes(): number {
    return this.#table.bytes;
  }

  /** Whether so much of it is gone that it is better read anew. */
  get isWorn(): boolean {
    return this.#dead.size > 1000 && this.#dead.size > this.#chunkIds.length / 5;
  }

  /** Reads what has been added since the last time. Errors: BAD_INDEX where a vector is not of the encoder's length. */
  refresh(reader: IndexReader): void {
    const lastChunk = reader.lastChunk();
    const before = this.#lastVector;
    reader.eachVector(this.encoder, before, ({ id, vector }) => {
      this.#table.addPacked(vector);
      this.#vectorIds.push(id);
      this.#lastVector = id;
    });
    const vectorIds = this.#vectorIds.values();
    reader.eachChunkWithVector(this.encoder, this.#lastChunk, before, ({ id, fileId, kind, vectorId }) => {
      const row = placeOf(vectorIds, vectorId);
      if (row < 0) return;
      this.#chunkIds.push(id);
      this.#chunkRows.push(row);
      this.#chunkFiles.push(fileId);
      this.#chunkKinds.push(kind);
    });
    this.#lastChunk = lastChunk;
  }

  /**
   * The chunks whose vectors are nearest by cosine, best first, exactly, at most `top`.
   *
   * @param exists asked of a chunk before it counts: those that are gone are not asked about again
   */
  rank(query: QuantizedVector, top: number, { files, kinds }: Wanted, exists: (id: number) => boolean): RankedChunk[] {
    const scores = this.#table.scores(query);
    const [ids, rows, chunkFiles, chunkKinds] = [this.#chunkIds, this.#chunkRows, this.#chunkFiles, this.#chunkKinds].map((column) => column.values()) as [Int32Array, Int32Array, Int32Array, Int32Array];
    const isWanted = (place: number): boolean => (files === undefined || files.has(chunkFiles[place]!)) && (kinds === undefined || kinds.has(chunkKinds[place]!));
    const isAll = files === undefined && kinds === undefined;
    const ofChunks = new Float32Array(rows.length);
    for (let place = 0; place < rows.length; place++) ofChunks[place] = isAll || isWanted(place) ? scores[rows[place]!]! : NaN;
    for (const place of this.#dead) ofChunks[place] = NaN;
    for (;;) {
      const best = bestRows(ofChunks, top);
      const gone = best.filter(({ row }) => !exists(ids[row]!));
      if (gone.length === 0) return best.map(({ row, score }) => ({ id: ids[row]!, score }));
      for (const { row } of gone) {
        this.#dead.add(row);
        ofChunks[row] = NaN;
      }
    }
  }
}
