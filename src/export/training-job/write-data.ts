import { createHash } from 'node:crypto';
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { TrainingData } from '../../data/training.ts';
import { canonicalRow, type Triplet } from '../../data/triplet.ts';
import { throwIfCancelled } from '../../errors.ts';
import type { Tokenizer } from '../../models/types.ts';
import type { TrainingSettings } from '../../train/settings.ts';
import { prepareBatch } from '../../train/usable-rows.ts';

export interface WriteDataOptions {
  readonly settings: TrainingSettings;
  readonly tokenizer: Tokenizer;
  readonly signal?: AbortSignal | undefined;
  readonly onStep?: ((done: number, total: number) => void) | undefined;
}

/** What was written. */
export interface WrittenData {
  /** Different rows. */
  readonly rows: number;
  /** Rows of the steps, counted as often as they are drawn, that have nothing to encode and are left out. */
  readonly skipped: number;
}

/** Where the two files are, in the folder of a job. */
export const dataFiles = { folder: 'data', rows: 'rows.jsonl', batches: 'batches.jsonl' } as const;

/**
 * Writes the rows of every step of a run: one file has each once, a line of the other says at which bytes of it the rows
 * of a step begin. They are those, in that order, that our own trainer computes.
 *
 * Errors: those of `TrainingData.batch` and `prepareBatch`, CANCELLED.
 */
export async function writeBatches(folder: string, data: TrainingData, { settings, tokenizer, signal, onStep }: WriteDataOptions): Promise<WrittenData> {
  await mkdir(folder);
  const rowsFile = await open(join(folder, dataFiles.rows), 'wx');
  const batchesFile = await open(join(folder, dataFiles.batches), 'wx');
  const offsets = new Map<string, number>(); // By a hash of the row.
  let end = 0;
  let skipped = 0;
  const offsetOf = async (row: Triplet): Promise<number> => {
    const key = createHash('sha256').update(canonicalRow(row)).digest('base64');
    const known = offsets.get(key);
    if (known !== undefined) return known;
    const offset = end;
    const line = Buffer.from(`${JSON.stringify(row)}\n`);
    await rowsFile.writeFile(line);
    end += line.length;
    offsets.set(key, offset);
    return offset;
  };
  try {
    for (let step = 0; step < settings.steps; step++) {
      throwIfCancelled(signal);
      const { rows, skipped: left } = prepareBatch(await data.batch(step), tokenizer, settings);
      const places: number[] = [];
      for (const row of rows) places.push(await offsetOf(row));
      await batchesFile.writeFile(`${JSON.stringify(places)}\n`);
      skipped += left;
      onStep?.(step + 1, settings.steps);
    }
    return { rows: offsets.size, skipped };
  } finally {
    await rowsFile.close();
    await batchesFile.close();
  }
}
