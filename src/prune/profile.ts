import type { TripletSet, Triplet } from '../data/triplet.ts';
import { planBatches } from '../data/batches.ts';
import type { Engine } from '../engine/engine.ts';
import { Encoder } from '../encoder/encoder.ts';
import type { EncoderText } from '../encoder/prompt.ts';
import { errors, throwIfCancelled } from '../errors.ts';
import { residentBytes } from '../memory.ts';
import type { Checkpoint } from '../models/types.ts';
import { bootstrapCut, chooseCut, meanAndError } from './choose.ts';
import type { LayerLoss, LossCurve, ProfileProgress, ProfileSettings } from './curve.ts';
import { LayerLosses } from './layer-loss.ts';
import type { CheckpointEncoderSettings } from './manifest.ts';

/** A profile's settings; without `batches` it takes as many as fit three minutes, at least 8. */
export type ProfileRequest = Omit<ProfileSettings, 'batches'> & {
  readonly batches: number | undefined;
  /** Measure the first so many layers, as if the model had no more; all when undefined. */
  readonly layers: number | undefined;
};

export const defaultProfile: ProfileRequest = {
  batchSize: 64,
  batches: undefined,
  layers: undefined,
  maxLength: 512,
  attention: 'causal',
  pooling: 'weighted_mean',
  separator: '; ',
  scale: 50,
  seed: 42,
  order: 'shuffled',
};

/** The settings of the paper's own runs. */
export const paperProfile: ProfileRequest = { ...defaultProfile, batches: 100 };

/** The mean vector of queries and of documents at every layer, [layers, hiddenSize] each. */
export interface LayerMeans {
  readonly queries: Float32Array;
  readonly documents: Float32Array;
}

/** A loss curve, and the mean vectors where they were asked for. */
export interface Profile {
  readonly curve: LossCurve;
  readonly means: LayerMeans | undefined;
}

export interface ProfileOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * Take the mean vectors as well, of queries as they will be asked: under this instruction or under none, whatever the
   * data's own is. It costs another pass over the queries where the two differ.
   */
  readonly asked?: Pick<CheckpointEncoderSettings, 'instruction' | 'separator'> | undefined;
}

/** The two scales in use: the paper's runs had 50, the loss class of its code defaults to 20. */
const reportedScales = [20, 50];
const secondsWithoutBatches = 180;
const leastBatches = 8;

/**
 * Measures the contrastive loss at every layer in one forward pass a text set (L³Prune, paper section 3.2). Yields
 * progress after every run of the engine and returns the curve; a run takes under a second where the model allows, and
 * `signal` is obeyed between two of them. Rows are taken in the order of `data`, which `loadTriplets` has put them in.
 *
 * Errors: BAD_DATA for fewer than two batches, NOTHING_TO_POOL, NOT_FINITE, ENGINE, CANCELLED.
 */
export async function* profile(
  engine: Engine,
  checkpoint: Checkpoint,
  data: TripletSet,
  request: ProfileRequest,
  { signal, asked }: ProfileOptions = {},
): AsyncGenerator<ProfileProgress, Profile> {
  const batches = planBatches(data, request);
  const encoder = await Encoder.open(engine, checkpoint, { ...request, output: 'every' });
  try {
    const losses = await LayerLosses.open(engine);
    try {
      const measurement = new Measurement(encoder, losses, batches, request, asked);
      yield* measurement.run(signal);
      return await measurement.finish(data);
    } finally {
      await losses.dispose();
    }
  } finally {
    await encoder.dispose();
  }
}

/** One run of `profile`: what has been measured so far. */
class Measurement {
  readonly #encoder: Encoder;
  readonly #losses: LayerLosses;
  readonly #batches: readonly Triplet[][];
  readonly #request: ProfileRequest;
  readonly #started = performance.now();
  /** By scale: a row a batch, a number a layer. */
  readonly #byScale: Map<number, number[][]>;
  readonly #asked: ProfileOptions['asked'];
  /** Whether the queries have to be encoded once more, because they will be asked another way than the data has them. */
  readonly #asksApart: boolean;
  readonly #means: LayerMeans;
  #planned: number;
  #done = 0;
  #textsDone = 0;
  #tokens = 0;
  #computed = 0;
  #peak = 0;
  #secondsLeft: number | undefined;

  constructor(
    encoder: Encoder,
    losses: LayerLosses,
    batches: readonly Triplet[][],
    request: ProfileRequest,
    asked: ProfileOptions['asked'],
  ) {
    this.#encoder = encoder;
    this.#losses = losses;
    this.#batches = batches;
    this.#request = request;
    this.#planned = batches.length;
    this.#byScale = new Map([...new Set([...reportedScales, request.scale])].sort((a, b) => a - b).map((scale) => [scale, []]));
    const size = encoder.outputs * encoder.checkpoint.config.hiddenSize;
    this.#asked = asked;
    this.#asksApart = asked !== undefined && batches.flat().some((row) => !isAskedAs(asked, row, request.separator));
    this.#means = { queries: new Float32Array(size), documents: new Float32Array(size) };
  }

  async *run(signal?: AbortSignal): AsyncGenerator<ProfileProgress, void> {
    for (let index = 0; index < this.#planned; index++) {
      throwIfCancelled(signal);
      yield* this.#measure(this.#batches[index]!, signal);
      this.#done++;
    }
  }

  async *#measure(batch: readonly Triplet[], signal?: AbortSignal): AsyncGenerator<ProfileProgress, void> {
    const texts = this.#prepare(batch);
    const batchTokens = texts.reduce((sum, text) => sum + text.ids.length, 0);
    const { outputs: layers } = this.#encoder;
    const size = this.#encoder.checkpoint.config.hiddenSize;
    const rows = batch.length;
    const queries = new Float32Array(layers * rows * size);
    const documents = new Float32Array(layers * 2 * rows * size);
    const asked = this.#asksApart ? new Float32Array(layers * rows * size) : queries;
    let tokens = 0;
    for await (const run of this.#encoder.runs(texts, signal)) {
      const count = run.texts.length;
      for (let layer = 0; layer < layers; layer++) {
        run.texts.forEach((place, i) => {
          const from = (layer * count + i) * size;
          const vector = run.embeddings.subarray(from, from + size);
          if (place < rows) queries.set(vector, (layer * rows + place) * size);
          else if (place < 3 * rows) documents.set(vector, (layer * 2 * rows + place - rows) * size);
          else asked.set(vector, (layer * rows + place - 3 * rows) * size);
        });
      }
      tokens += run.tokens;
      this.#textsDone += count;
      this.#tokens += run.tokens;
      this.#computed += run.computed;
      this.#peak = Math.max(this.#peak, residentBytes());
      yield this.#progress(tokens / batchTokens);
    }
    if (this.#asked !== undefined) {
      this.#addMeans(asked, rows, this.#means.queries);
      this.#addMeans(documents, 2 * rows, this.#means.documents);
    }
    const shape = { layers, rows, candidates: 2 * rows, size };
    for (const [scale, own] of this.#byScale) own.push(this.#checkedLosses(await this.#losses.compute(queries, documents, shape, scale)));
  }

  #checkedLosses(losses: number[]): number[] {
    const at = losses.findIndex((loss) => !Number.isFinite(loss));
    if (at < 0) return losses;
    throw errors.notFinite(
      `The model "${this.#encoder.checkpoint.name}" has no loss at layer ${at + 1}, where it gives vectors without a direction: its weights are damaged; fetch or make it again.`,
    );
  }

  /**
   * Queries, positives, negatives (the first of each row, as the paper's loss takes), and the queries once more as they
   * will be asked, where means are wanted.
   */
  #prepare(batch: readonly Triplet[]): EncoderText[] {
    const prepare = (text: string, instruction?: string, separator?: string): EncoderText =>
      this.#encoder.prepare({ text, ...(instruction === undefined ? {} : { instruction }), ...(separator === undefined ? {} : { separator }) });
    const asked = this.#asked;
    return [
      ...batch.map(({ query, instruction }) => prepare(query, instruction, this.#request.separator)),
      ...batch.map(({ positive }) => prepare(positive)),
      ...batch.map(({ negatives }) => prepare(negatives[0]!)),
      ...(this.#asksApart ? batch.map(({ query }) => prepare(query, asked?.instruction, asked?.separator)) : []),
    ];
  }

  #addMeans(vectors: Float32Array, count: number, means: Float32Array): void {
    const size = this.#encoder.checkpoint.config.hiddenSize;
    for (let i = 0; i < vectors.length; i++) {
      const layer = Math.floor(i / (count * size));
      means[layer * size + (i % size)]! += vectors[i]! / count;
    }
  }

  #progress(shareOfBatch: number): ProfileProgress {
    const secondsElapsed = this.#seconds();
    if (this.#request.batches === undefined && this.#done === 0) {
      const fitting = Math.floor((secondsWithoutBatches * shareOfBatch) / secondsElapsed);
      this.#planned = Math.min(this.#batches.length, Math.max(leastBatches, fitting));
    }
    const share = (this.#done + shareOfBatch) / this.#planned;
    const estimate = (secondsElapsed / share) * (1 - share);
    // What has been promised is kept: an estimate may shrink, and where it would grow it waits.
    this.#secondsLeft = Math.min(this.#secondsLeft ?? Infinity, estimate);
    return {
      batchesDone: this.#done,
      batches: this.#planned,
      textsDone: this.#textsDone,
      texts: this.#planned * this.#request.batchSize * (this.#asksApart ? 4 : 3),
      tokensDone: this.#tokens,
      secondsElapsed,
      secondsLeft: this.#secondsLeft,
      layers: this.#done === 0 ? [] : this.#layers(this.#request.scale),
    };
  }

  async finish(data: TripletSet): Promise<Profile> {
    const { checkpoint } = this.#encoder;
    const { layers: _, ...settings } = this.#request;
    const scales = Object.fromEntries(
      [...this.#byScale].map(([scale, batchLosses]) => {
        const { losses, stderr } = meanAndError(batchLosses);
        return [String(scale), { ...chooseCut(losses), losses, stderr }];
      }),
    );
    const own = this.#byScale.get(settings.scale)!;
    const cut = chooseCut(meanAndError(own).losses);
    const curve: LossCurve = {
      layers: this.#layers(settings.scale),
      ...cut,
      confidence: bootstrapCut(own, settings.seed),
      scales,
      warnings: warnings(scales, settings.scale),
      settings: { ...settings, batches: this.#planned },
      model: {
        name: checkpoint.name,
        fingerprint: await checkpoint.fingerprint(),
        layers: checkpoint.config.numHiddenLayers,
      },
      data: {
        fingerprint: data.fingerprint,
        triplets: this.#planned * settings.batchSize,
        skipped: data.rejected.length,
      },
      tokens: this.#tokens,
      fill: this.#tokens / this.#computed,
      seconds: this.#seconds(),
      peakBytes: this.#peak,
    };
    const mean = (sums: Float32Array): Float32Array => sums.map((x) => x / this.#planned);
    const { queries, documents } = this.#means;
    return { curve, means: this.#asked === undefined ? undefined : { queries: mean(queries), documents: mean(documents) } };
  }

  #layers(scale: number): LayerLoss[] {
    const { losses, stderr } = meanAndError(this.#byScale.get(scale)!);
    return losses.map((loss, i) => ({ layer: i + 1, loss, stderr: stderr[i]! }));
  }

  #seconds(): number {
    return (performance.now() - this.#started) / 1000;
  }
}

/** Whether a row's query, as the data has it, is the very text that will be asked. */
function isAskedAs(asked: NonNullable<ProfileOptions['asked']>, { instruction }: Triplet, separator: string): boolean {
  return instruction === asked.instruction && (instruction === undefined || separator === asked.separator);
}

/** What a person should know before cutting where the curve says. */
function warnings(scales: LossCurve['scales'], scale: number): string[] {
  const found: string[] = [];
  const own = scales[String(scale)]!;
  const shown = Object.entries(scales)
    .map(([at, cut]) => `${cut.small} and ${cut.large} at scale ${at}`)
    .join(', ');
  const differs = Object.values(scales).some((cut) => cut.small !== own.small || cut.large !== own.large);
  if (differs) found.push(`The cut depends on the scale of the loss: small and large are ${shown}. Scale ${scale} decides.`);
  for (const [name, layers] of [['small', own.small], ['large', own.large]] as const) {
    if (layers < 3) found.push(`The ${name} cut keeps ${layers} ${layers === 1 ? 'layer' : 'layers'}: fewer than 3 rarely make a useful encoder.`);
  }
  return found;
}
