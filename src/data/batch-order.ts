import { createHash } from 'node:crypto';
import { Random } from '../random.ts';

/** Rows of one data set, by their numbers in it. */
export interface BatchRows {
  readonly dataset: number;
  readonly rows: Iterable<number>;
}

/**
 * Which rows each batch of a training has: a pure function of the sizes, the seed and the step. A batch is of one data
 * set, and an epoch has as many whole batches of each as its rows fill.
 *
 * `shuffled`: every epoch shuffles the rows of each data set, cuts them into batches, leaves out what fills none, and
 * shuffles the batches. `file`: the data sets one after the other, rows in order; an epoch begins in each where the one
 * before stopped, so that one data set is simply cycled.
 */
export class BatchOrder {
  readonly batchesPerEpoch: number;
  readonly #sizes: readonly number[];
  readonly #batchSize: number;
  readonly #seed: number;
  readonly #isShuffled: boolean;
  /** The number of an epoch's first batch of each data set, before batches are shuffled. */
  readonly #firstBatches: readonly number[];
  #shuffled: ShuffledEpoch | undefined;

  constructor(sizes: readonly number[], options: { batchSize: number; seed: number; order: 'shuffled' | 'file' }) {
    this.#sizes = sizes;
    this.#batchSize = options.batchSize;
    this.#seed = options.seed;
    this.#isShuffled = options.order === 'shuffled';
    let batches = 0;
    this.#firstBatches = sizes.map((size) => {
      const first = batches;
      batches += Math.floor(size / options.batchSize);
      return first;
    });
    this.batchesPerEpoch = batches;
  }

  /** The rows of batch `step`, 0-based and counted on through the epochs. */
  at(step: number): BatchRows {
    const epoch = Math.floor(step / this.batchesPerEpoch);
    const place = step % this.batchesPerEpoch;
    return this.#isShuffled ? this.#shuffledBatch(epoch, place) : this.#cycledBatch(epoch, place);
  }

  #cycledBatch(epoch: number, batch: number): BatchRows {
    const dataset = this.#datasetOf(batch);
    const size = this.#sizes[dataset] as number;
    const batches = Math.floor(size / this.#batchSize);
    const first = (epoch * batches + batch - (this.#firstBatches[dataset] as number)) * this.#batchSize;
    return { dataset, rows: Array.from({ length: this.#batchSize }, (_, i) => (first + i) % size) };
  }

  #shuffledBatch(epoch: number, place: number): BatchRows {
    if (this.#shuffled?.epoch !== epoch) this.#shuffled = this.#shuffle(epoch);
    const { batches, rows } = this.#shuffled;
    const batch = batches[place] as number;
    const dataset = this.#datasetOf(batch);
    const first = (batch - (this.#firstBatches[dataset] as number)) * this.#batchSize;
    return { dataset, rows: (rows[dataset] as Uint32Array).subarray(first, first + this.#batchSize) };
  }

  #shuffle(epoch: number): ShuffledEpoch {
    const random = epochRandom(this.#seed, epoch);
    const rows = this.#sizes.map((size) => random.shuffle(numbersBelow(size)));
    const batches = random.shuffle(numbersBelow(this.batchesPerEpoch));
    return { epoch, rows, batches };
  }

  /** The data set that has this batch of an epoch: the last one whose first batch is not after it. */
  #datasetOf(batch: number): number {
    return this.#firstBatches.findLastIndex((first, dataset) => first <= batch && (this.#sizes[dataset] as number) >= this.#batchSize);
  }
}

interface ShuffledEpoch {
  readonly epoch: number;
  /** A permutation of each data set's rows. */
  readonly rows: readonly Uint32Array[];
  /** A permutation of the epoch's batches. */
  readonly batches: Uint32Array;
}

function numbersBelow(bound: number): Uint32Array {
  const numbers = new Uint32Array(bound);
  for (let i = 0; i < bound; i++) numbers[i] = i;
  return numbers;
}

/** Seed and epoch are hashed together, so that the second epoch of one seed is not the first of the next. */
function epochRandom(seed: number, epoch: number): Random {
  const digest = createHash('sha256').update(`${seed} ${epoch}`).digest();
  return new Random([digest.readUInt32LE(0), digest.readUInt32LE(4), digest.readUInt32LE(8), digest.readUInt32LE(12)]);
}
