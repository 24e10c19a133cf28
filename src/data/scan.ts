import { createHash, hash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { errors } from '../errors.ts';
import { HashSet } from './hash-set.ts';
import { paperInstructions } from './instructions.ts';
import { dataFiles, dataName, isGzip, type Place } from './lines.ts';
import { RowIndex } from './row-index.ts';
import { PlainRows, type RowSource } from './row-source.ts';
import { isRejected, nothingUsable, readRows, Rejections, type AcceptedRow } from './rows.ts';
import { trainingRow } from './triplet-schema.ts';
import { canonicalRow, type RejectedRow, type Triplet } from './triplet.ts';
import { UnpackedRows } from './unpacked-rows.ts';

/** Rows are indexed in memory, 35 bytes each while they are read. */
const MAX_ROWS = 100_000_000;

/** So many of the rows that repeat another are named; all are counted. */
const MAX_REPEATED_NAMED = 1000;

/** How far a reading has come. Bytes are those of the files as they lie on the disk. */
export interface ScanProgress {
  readonly bytes: number;
  readonly totalBytes: number;
  /** Accepted so far. */
  readonly rows: number;
}

/** What one pass over data files finds. */
export interface ScannedFiles {
  readonly datasets: readonly ScannedDataset[];
  /** Where each accepted row lies in its data set's source. */
  readonly index: RowIndex;
  readonly rejected: readonly RejectedRow[];
  readonly repeated: { readonly count: number; readonly first: readonly RejectedRow[] };
  /** SHA-256, hexadecimal; of one file of different rows it is the one that `readTriplets` gives. */
  readonly fingerprint: string;
  /** Removes temporary files. */
  close(): Promise<void>;
}

/** A file's rows: numbers `firstRow` to `firstRow + rows - 1` of the index. */
export interface ScannedDataset {
  readonly name: string;
  readonly file: string;
  readonly instructions: readonly string[];
  readonly source: RowSource;
  readonly firstRow: number;
  readonly rows: number;
  readonly repeated: number;
}

/** As `TrainingDataOptions` says. */
export interface ScanOptions {
  readonly instruction: string | undefined;
  readonly temporaryFolder: string;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((progress: ScanProgress) => void) | undefined;
}

/**
 * Reads every row of these files and folders once: checks it, leaves it out where an earlier one says the same, and notes
 * where it lies.
 *
 * @throws NOT_FOUND, BAD_DATA (no row can be used, a broken gzip), TOO_LARGE (too many rows), WRITE_FAILED, USAGE, CANCELLED
 */
export async function scanTrainingFiles(locations: readonly string[], options: ScanOptions): Promise<ScannedFiles> {
  const files = (await Promise.all(locations.map(dataFiles))).flat();
  if (files.length === 0) throw errors.usage('There is nothing to train on: name a .jsonl or .jsonl.gz file, or a folder of them.');
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  const scan = new Scan(
    options,
    sizes.reduce((sum, size) => sum + size, 0),
  );
  try {
    for (const file of files) await scan.read(file);
    return scan.finish(locations.join(', '));
  } catch (error) {
    await scan.unpacked.close();
    throw error;
  }
}

class Scan {
  readonly unpacked: UnpackedRows;
  readonly #options: ScanOptions;
  readonly #totalBytes: number;
  readonly #index = new RowIndex();
  readonly #datasets: ScannedDataset[] = [];
  readonly #seen = new HashSet();
  readonly #fingerprint = createHash('sha256');
  readonly #rejections = new Rejections();
  readonly #repeated = { count: 0, first: [] as RejectedRow[] };
  /** Of the files before the current one. */
  #bytes = 0;

  constructor(options: ScanOptions, totalBytes: number) {
    this.unpacked = new UnpackedRows(options.temporaryFolder);
    this.#options = options;
    this.#totalBytes = totalBytes;
  }

  async read(file: string): Promise<void> {
    const name = dataName(file);
    const { instruction, signal } = this.#options;
    const instructions = instruction === undefined ? paperInstructions(name) : [instruction].filter((text) => text.trim() !== '');
    const plain = await PlainRows.open(file);
    const isPacked = await isGzip(file);
    const firstRow = this.#index.length;
    const repeatedBefore = this.#repeated.count;
    const heading = Buffer.from(`${JSON.stringify(instructions)}\n`);
    let fileBytes = 0;
    for await (const row of readRows(file, trainingRow, signal, (read) => this.#report((fileBytes = read)))) {
      if (isRejected(row)) {
        this.#rejections.add(row);
        continue;
      }
      // Rows are the same when they say the same and would take their instruction from the same ones.
      const says = Buffer.from(canonicalRow(row.value));
      if (!this.#seen.add(hash('sha256', Buffer.concat([heading, says]), 'buffer'))) {
        this.#addRepeated(row);
        continue;
      }
      if (this.#index.length === firstRow) this.#beginInFingerprint(heading, instructions);
      this.#fingerprint.update(says);
      this.#addToIndex(isPacked ? await this.unpacked.add(row.text) : row.place, file);
    }
    this.#bytes += fileBytes;
    this.#datasets.push({
      name,
      file,
      instructions,
      source: isPacked ? this.unpacked : plain,
      firstRow,
      rows: this.#index.length - firstRow,
      repeated: this.#repeated.count - repeatedBefore,
    });
  }

  /** Throws BAD_DATA when there was nothing to use in any file; `location` names them. */
  finish(location: string): ScannedFiles {
    if (this.#index.length === 0) throw nothingUsable(location, this.#rejections, 'query and positive');
    return {
      datasets: this.#datasets,
      index: this.#index,
      rejected: this.#rejections.rows,
      repeated: this.#repeated,
      fingerprint: this.#fingerprint.digest('hex'),
      close: () => this.unpacked.close(),
    };
  }

  /**
   * Batches never cross the border of two data sets, and rows take their data set's instructions in turn: both are part of
   * what a training sees. One file without instructions has the fingerprint that it has elsewhere.
   */
  #beginInFingerprint(heading: Buffer, instructions: readonly string[]): void {
    if (this.#index.length > 0 || instructions.length > 0) this.#fingerprint.update(heading);
  }

  #addRepeated({ file, line }: AcceptedRow<Triplet>): void {
    this.#repeated.count++;
    if (this.#repeated.first.length < MAX_REPEATED_NAMED) this.#repeated.first.push({ file, line, reason: 'repeats an earlier row' });
  }

  #addToIndex(place: Place, file: string): void {
    if (this.#index.length >= MAX_ROWS)
      throw errors.tooLarge(`${file} goes beyond ${MAX_ROWS / 1e6} million rows, which is all that is trained on at once: take a part of the data.`);
    this.#index.add(place);
  }

  #report(fileBytes: number): void {
    this.#options.onProgress?.({ bytes: this.#bytes + fileBytes, totalBytes: this.#totalBytes, rows: this.#index.length });
  }
}
