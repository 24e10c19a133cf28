import { Encoder, operationsPerToken, type EncoderOptions } from '../../src/encoder/encoder.ts';
import { poolingWeights } from '../../src/encoder/pooling.ts';
import type { EncoderText } from '../../src/encoder/prompt.ts';
import { readTriplets } from '../../src/data/read.ts';
import { mine } from '../../src/data/mine.ts';
import { minedTriplets } from '../../src/data/mine/triplet.ts';
import type { Triplet } from '../../src/data/triplet.ts';
import type { Engine } from '../../src/engine/engine.ts';
import type { Checkpoint, DecoderConfig } from '../../src/models/types.ts';
import { Random } from '../../src/random.ts';
import type { Bucket } from './peer.ts';

/** What every bench gets. */
export interface Setup {
  readonly checkpoint: Checkpoint;
  readonly engine: Engine;
  readonly threads: number;
  /** The data home, where other engines are. */
  readonly home: string;
  /** How often each side of a comparison runs. */
  readonly rounds: number;
  readonly triplets: readonly Triplet[];
  /** A folder for what a bench writes; it goes afterwards. */
  readonly scratch: string;
  /** A folder for what takes long to make; it stays. */
  readonly cache: string;
}

/** Threads that have nothing to do spin for a while; the other side waits that long before its turn. */
export const pauseMilliseconds = 20;

/** What encoders are cut to whose speed is measured. */
export const encodedLayers = ({ checkpoint }: Pick<Setup, 'checkpoint'>): number => Math.min(8, checkpoint.config.numHiddenLayers);

export const separator = '; ';
/** The settings of throughput measures: those of the demo. */
export const settings = { attention: 'causal', pooling: 'weighted_mean', maxLength: 128 } as const;

/** As many shuffled triplets as there are up to `count`: of a file, or mined from this repository and its dependencies. */
export async function loadTriplets(data: string | undefined, count: number): Promise<Triplet[]> {
  if (data !== undefined) return Random.fromSeed(1).shuffle([...(await readTriplets(data)).triplets]).slice(0, count);
  const mining = mine(`${import.meta.dirname}/../..`, { seed: 1, limit: count, kinds: ['doc'] });
  for (;;) {
    const step = await mining.next();
    if (step.done) {
      return [...minedTriplets(step.value, 1).triplets];
    }
  }
}

/** The texts of triplets as a profile encodes them: queries, positives, negatives. */
export function textsOf(encoder: Encoder, triplets: readonly Triplet[]): EncoderText[] {
  return [
    ...triplets.map(({ query, instruction }) =>
      encoder.prepare(instruction === undefined ? { text: query } : { text: query, instruction, separator }),
    ),
    ...triplets.map(({ positive }) => encoder.prepare({ text: positive })),
    ...triplets.map(({ negatives }) => encoder.prepare({ text: negatives[0]! })),
  ];
}

/** Texts as PyTorch is given them: padded on the right to the longest. */
export function bucketOf(texts: readonly EncoderText[]): Bucket {
  const length = Math.max(...texts.map(({ ids }) => ids.length));
  return {
    ids: texts.map(({ ids }) => [...ids, ...Array<number>(length - ids.length).fill(0)]),
    weights: texts.map(({ pooled }) => {
      const weights = new Float32Array(length);
      poolingWeights(pooled, settings.pooling, weights, 0);
      return [...weights];
    }),
  };
}

/** 2mnk of one text's linear layers and of its attention. */
export function operationsOfText(config: DecoderConfig, layers: number, tokens: number): number {
  return tokens * operationsPerToken(config, layers) + operationsOfAttention(config, layers, tokens);
}

/** 2mnk of attention's two products over one text: queries with keys, weights with values. */
export function operationsOfAttention(config: DecoderConfig, layers: number, tokens: number): number {
  return layers * 2 * (2 * tokens * tokens * config.numAttentionHeads * config.headDim);
}

/** Opens an encoder for as long as `use` takes. */
export async function withEncoder<R>(
  { engine, checkpoint }: Pick<Setup, 'engine' | 'checkpoint'>,
  options: EncoderOptions,
  use: (encoder: Encoder) => Promise<R>,
): Promise<R> {
  const encoder = await Encoder.open(engine, checkpoint, options);
  try {
    return await use(encoder);
  } finally {
    await encoder.dispose();
  }
}
