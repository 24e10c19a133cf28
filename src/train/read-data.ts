import { measureTokens, type CountTokens, type TokenStatistics } from '../data/token-statistics.ts';
import { openTrainingData, type TrainingData } from '../data/training.ts';
import type { Triplet, TripletSet } from '../data/triplet.ts';
import type { Tokenizer } from '../models/types.ts';
import { ProgressQueue } from '../prune/progress-queue.ts';
import type { ReadRows, TrainProgress } from './job.ts';
import type { TrainingSettings } from './settings.ts';

/** Rows that are named of those that cannot be used. */
const mostNamed = 10;
/** Batches whose tokens are counted. */
const countedBatches = 8;

export interface ReadDataOptions {
  readonly settings: Omit<TrainingSettings, 'layers'>;
  readonly instruction: string | undefined;
  readonly tokenizer: Tokenizer;
  readonly temporaryFolder: string;
  readonly signal: AbortSignal;
}

export interface DataToTrainOn {
  readonly data: TrainingData;
  readonly tokens: TokenStatistics;
}

/**
 * Opens the data of a training and says what is in it; whoever asked closes it. Errors: those of `openTrainingData` and
 * `TrainingData.batch`.
 */
export async function* readData(locations: readonly string[], options: ReadDataOptions): AsyncGenerator<TrainProgress, DataToTrainOn> {
  const { settings: { batchSize, seed, order, maxLength, separator }, instruction, tokenizer, temporaryFolder, signal } = options;
  const opening = new ProgressQueue<TrainProgress, TrainingData>((push) =>
    openTrainingData(locations, {
      batchSize,
      seed,
      order,
      instruction,
      temporaryFolder,
      signal,
      onProgress: ({ bytes, totalBytes }) => push({ kind: 'data', done: bytes, total: totalBytes }),
    }),
  );
  const data = yield* opening.drain();
  try {
    const countTokens: CountTokens = (text, before, most) => tokenizer.tokenize(before === undefined ? text : before + separator + text, { maxTokens: most }).ids.length;
    const tokens = await measureTokens(data, { batches: Math.min(countedBatches, data.batchesPerEpoch), maxLength, countTokens, signal });
    yield { kind: 'rows', rows: describe(data, tokens) };
    return { data, tokens };
  } catch (error) {
    await data.close();
    throw error;
  }
}

function describe({ rows, batchesPerEpoch, rejected, repeated, datasets }: TrainingData, tokens: TokenStatistics): ReadRows {
  return {
    rows,
    batchesPerEpoch,
    rejected: { count: rejected.length, first: rejected.slice(0, mostNamed) },
    repeated: { count: repeated.count, first: repeated.first.slice(0, mostNamed) },
    withoutBatch: datasets.filter((dataset) => dataset.batchesPerEpoch === 0).map(({ name, rows }) => ({ name, rows })),
    tokens,
  };
}

/** The longest text that was counted, in tokens. */
export function longestText({ query, positive, negative }: TokenStatistics): number {
  return Math.max(query.longestTokens, positive.longestTokens, negative.longestTokens);
}

/**
 * Rows of the first batches of a training that `accept` takes, at most `count`: what its model is profiled and calibrated
 * on. Errors: those of `TrainingData.batch`.
 */
export async function firstRows(data: TrainingData, count: number, accept: (row: Triplet) => boolean = () => true): Promise<TripletSet> {
  const triplets: Triplet[] = [];
  for (let step = 0; step < data.batchesPerEpoch && triplets.length < count; step++) {
    triplets.push(...(await data.batch(step)).filter(accept));
  }
  return { triplets: triplets.slice(0, count), rejected: data.rejected, fingerprint: data.fingerprint };
}
