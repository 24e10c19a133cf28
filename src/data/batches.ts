import { errors } from '../errors.ts';
import type { Triplet, TripletSet } from './triplet.ts';

/**
 * Cuts a set into whole batches of its rows in order, none twice; rows that fill no batch are left out. Who wants them
 * shuffled hands over a shuffled set (`sampleTriplets`), of which fewer batches are then the first of more.
 *
 * @param options.batches at most that many; as many as there are when undefined
 * @throws BAD_DATA when the data gives fewer than two, without which there is no standard error; USAGE
 */
export function planBatches(set: TripletSet, options: { batchSize: number; batches?: number | undefined }): Triplet[][] {
  const { batchSize, batches = Infinity } = options;
  checkBatchSize(batchSize);
  if (batches < 2) throw errors.usage(`A curve with its standard error needs at least 2 batches, not ${batches}.`);
  const rows = set.triplets.length;
  const whole = Math.floor(rows / batchSize);
  if (whole < 2) {
    const left = set.rejected.length > 0 ? ` (${set.rejected.length} more were rejected)` : '';
    throw errors.badData(
      `The data has ${rows} usable ${rows === 1 ? 'row' : 'rows'}${left}; two batches of ${batchSize} need ${2 * batchSize}: give more data or a smaller batch.`,
    );
  }
  return Array.from({ length: Math.min(whole, batches) }, (_, i) => set.triplets.slice(i * batchSize, (i + 1) * batchSize));
}

/** Throws USAGE for a batch without a second row to tell the first from. */
export function checkBatchSize(batchSize: number): void {
  if (!Number.isSafeInteger(batchSize) || batchSize < 2) throw errors.usage(`A batch holds at least 2 rows, not ${batchSize}.`);
}
