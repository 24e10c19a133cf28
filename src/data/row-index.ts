import type { Place } from './lines.ts';

const ROWS_PER_CHUNK = 1 << 16;

/** Where each row lies, in 12 bytes a row; grows by chunks, so that nothing is copied and little is held in vain. */
export class RowIndex {
  readonly #offsets: Float64Array[] = [];
  readonly #bytes: Uint32Array[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add({ offset, bytes }: Place): void {
    const within = this.#length % ROWS_PER_CHUNK;
    if (within === 0) {
      this.#offsets.push(new Float64Array(ROWS_PER_CHUNK));
      this.#bytes.push(new Uint32Array(ROWS_PER_CHUNK));
    }
    (this.#offsets.at(-1) as Float64Array)[within] = offset;
    (this.#bytes.at(-1) as Uint32Array)[within] = bytes;
    this.#length++;
  }

  /** `row` is 0 to `length` - 1. */
  at(row: number): Place {
    const chunk = Math.floor(row / ROWS_PER_CHUNK);
    const within = row % ROWS_PER_CHUNK;
    return { offset: this.#offsets[chunk]?.[within] as number, bytes: this.#bytes[chunk]?.[within] as number };
  }
}
