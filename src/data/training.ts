import { tmpdir } from 'node:os';
import { errors } from '../errors.ts';
import { BatchOrder } from './batch-order.ts';
import { checkBatchSize } from './batches.ts';
import { withInstruction } from './instructions.ts';
import { changed } from './row-source.ts';
import { parseRow } from './rows.ts';
import { scanTrainingFiles, type ScannedFiles, type ScanProgress } from './scan.ts';
import { trainingRow } from './triplet-schema.ts';
import type { RejectedRow, Triplet } from './triplet.ts';

/** More text than this is not held for one batch. */
const MAX_BATCH_BYTES = 512 * 1024 * 1024;

/** Drops the byte order mark that the first row of a file may have. */
const utf8 = new TextDecoder();

/** What to train on, and in which batches. */
export interface TrainingDataOptions {
  readonly batchSize: number;
  /** Any safe integer. */
  readonly seed: number;
  readonly order: 'shuffled' | 'file';
  /** For rows without one of their own, in place of the paper's for the data set's name; blank for none. */
  readonly instruction?: string | undefined;
  /** Takes what is unpacked from large compressed files; the system's own folder when undefined. */
  readonly temporaryFolder?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: ScanProgress) => void) | undefined;
}

/** A file of rows that share their batches with no other. */
export interface TrainingDataset {
  /** The file's name without folder and ending. */
  readonly name: string;
  readonly file: string;
  /** Accepted rows. */
  readonly rows: number;
  /** Rows left out because an earlier row, of any data set with the same instructions, says the same. */
  readonly repeated: number;
  /** What rows without an instruction of their own take in turn; none when empty. */
  readonly instructions: readonly string[];
  /** Whole batches in one epoch; none where there are fewer rows than a batch has. */
  readonly batchesPerEpoch: number;
  /** Rows that are in no batch of an epoch; others in each epoch, unless there is no batch at all. */
  readonly leftOver: number;
}

/**
 * Rows to train on, in batches of one data set each. Rows of a batch may have different numbers of negatives, also none.
 * What is held is where each row lies: 16 bytes a row, never the rows.
 */
export interface TrainingData {
  /** Accepted rows. */
  readonly rows: number;
  /** Rows that cannot be used, each named. */
  readonly rejected: readonly RejectedRow[];
  /** Rows that say what an earlier one says: how many there are, and the first of them. */
  readonly repeated: { readonly count: number; readonly first: readonly RejectedRow[] };
  /** SHA-256 over the accepted rows in order, their instructions and the borders of data sets, hexadecimal. */
  readonly fingerprint: string;
  readonly datasets: readonly TrainingDataset[];
  /** Whole batches in one epoch, at least one. */
  readonly batchesPerEpoch: number;
  /**
   * The rows of batch `step`, 0-based and counted on through the epochs: the same for the same data, seed and step,
   * whatever was asked for before.
   *
   * @throws BAD_DATA or NOT_FOUND when a file is not what it was, TOO_LARGE when the rows are longer than is held at once
   */
  batch(step: number): Promise<readonly Triplet[]>;
  /** Which rows those are: their numbers among all accepted rows, the same in every epoch. */
  rowNumbers(step: number): number[];
  /** Gives back what is held on the disk. */
  close(): Promise<void>;
}

/**
 * Opens JSONL(.gz) files, or folders of them, to train on: one pass over all of it, in memory of about 35 bytes a row,
 * that checks each row, leaves out those that repeat an earlier one, and notes where each lies. Files are data sets, in
 * the order they are named and of their names inside a folder; a data set of E5's public data has the paper's
 * instructions by its file's name.
 *
 * @throws NOT_FOUND, BAD_DATA (no row can be used, or no data set fills a batch), TOO_LARGE, WRITE_FAILED, USAGE,
 * CANCELLED
 */
export async function openTrainingData(location: string | readonly string[], options: TrainingDataOptions): Promise<TrainingData> {
  checkBatchSize(options.batchSize);
  const locations = [location].flat();
  const { instruction, temporaryFolder = tmpdir(), signal, onProgress } = options;
  const scanned = await scanTrainingFiles(locations, { instruction, temporaryFolder, signal, onProgress });
  try {
    checkFill(scanned, locations.join(', '), options.batchSize);
    return new ScannedTrainingData(scanned, options);
  } catch (error) {
    await scanned.close();
    throw error;
  }
}

/** Throws BAD_DATA where no data set has the rows of one batch. */
function checkFill({ datasets, rejected, repeated }: ScannedFiles, location: string, batchSize: number): void {
  const largest = datasets.reduce((most, next) => (next.rows > most.rows ? next : most));
  if (largest.rows >= batchSize) return;
  const usable = `${largest.rows} usable ${largest.rows === 1 ? 'row' : 'rows'}`;
  const has = datasets.length === 1 ? `${location} has ${usable}` : `${location}: the largest data set, ${largest.name}, has ${usable}`;
  const left = [
    ...(rejected.length > 0 ? [`${rejected.length} cannot be used`] : []),
    ...(repeated.count > 0 ? [`${repeated.count} repeat an earlier one`] : []),
  ];
  const more = left.length > 0 ? ` (${left.join(', ')})` : '';
  const advice = largest.rows < 2 ? 'give more data' : `give more data or a batch size of ${largest.rows} at most`;
  throw errors.badData(`${has}${more}, and a batch needs ${largest.rows < 2 ? 'at least 2' : batchSize}: ${advice}.`);
}

class ScannedTrainingData implements TrainingData {
  readonly rows: number;
  readonly rejected: readonly RejectedRow[];
  readonly repeated: TrainingData['repeated'];
  readonly fingerprint: string;
  readonly datasets: readonly TrainingDataset[];
  readonly #scanned: ScannedFiles;
  readonly #order: BatchOrder;

  constructor(scanned: ScannedFiles, options: TrainingDataOptions) {
    const { batchSize } = options;
    this.rows = scanned.index.length;
    this.rejected = scanned.rejected;
    this.repeated = scanned.repeated;
    this.fingerprint = scanned.fingerprint;
    this.datasets = scanned.datasets.map(({ name, file, rows, repeated, instructions }) => ({
      name,
      file,
      rows,
      repeated,
      instructions,
      batchesPerEpoch: Math.floor(rows / batchSize),
      leftOver: rows % batchSize,
    }));
    this.#scanned = scanned;
    this.#order = new BatchOrder(scanned.datasets.map(({ rows }) => rows), options);
  }

  get batchesPerEpoch(): number {
    return this.#order.batchesPerEpoch;
  }

  async batch(step: number): Promise<readonly Triplet[]> {
    const { index, datasets } = this.#scanned;
    const batch = this.#order.at(step);
    const { file, firstRow, instructions, source } = datasets[batch.dataset] as ScannedFiles['datasets'][number];
    const rows = [...batch.rows];
    const places = rows.map((row) => index.at(firstRow + row));
    const bytes = places.reduce((sum, place) => sum + place.bytes, 0);
    if (bytes > MAX_BATCH_BYTES)
      throw errors.tooLarge(`A batch of ${file} holds ${Math.round(bytes / 1024 / 1024)} MB of text: take a smaller batch, or shorten the texts.`);
    const texts = await source.read(places);
    return texts.map((text, i) => {
      const parsed = parseRow(utf8.decode(text), trainingRow);
      if (!('value' in parsed)) throw changed(file);
      return withInstruction(parsed.value, instructions, rows[i] as number);
    });
  }

  rowNumbers(step: number): number[] {
    const { dataset, rows } = this.#order.at(step);
    const { firstRow } = this.#scanned.datasets[dataset] as ScannedFiles['datasets'][number];
    return Array.from(rows, (row) => firstRow + row);
  }

  close(): Promise<void> {
    return this.#scanned.close();
  }
}
