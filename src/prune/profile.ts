import type { TripletSet, Triplet } from '../data/triplet.ts';
import { planBatches } from '../data/batches.ts';
import type { Engine } from '../engine/engine.ts';
import { Encoder } from '../encoder/encoder.ts';
import type { EncoderText } from '../encoder/prompt.ts';
import { errors, throwIfCancelled } from '../errors.ts';
import { residentBytes } from '../memory.ts';
import type { Checkpoint } from '../models/types.ts';
import { Centring } from './centring.ts';
import type { CutCurve, LossCurve, ProfileProgress, ProfileSettings } from './curve.ts';
import { LayerLosses, type LayerVectors } from './layer-loss.ts';
import { LossTable } from './loss-table.ts';

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
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): AsyncGenerator<ProfileProgress, LossCurve> {
  const batches = planBatches(data, request);
  const encoder = await Encoder.open(engine, checkpoint, { ...request, output: 'every' });
  try {
    const losses = await LayerLosses.open(engine);
    try {
      const measurement = new Measurement(encoder, losses, batches, request);
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
  readonly #plain: LossTable;
  readonly #calibrated: LossTable;
  readonly #centring = new Centring();
  #planned: number;
  #done = 0;
  #textsDone = 0;
  #tokens = 0;
  #computed = 0;
  #peak = 0;
  #secondsLeft: number | undefined;

  constructor(encoder: Encoder, losses: LayerLosses, batches: readonly Triplet[][], request: ProfileRequest) {
    this.#encoder = encoder;
    this.#losses = losses;
    this.#batches = batches;
    this.#request = request;
    this.#planned = batches.length;
    const scales = [...new Set([...reportedScales, request.scale])].sort((a, b) => a - b);
    this.#plain = new LossTable(scales);
    this.#calibrated = new LossTable(scales);
  }

  async *run(signal?: AbortSignal): AsyncGenerator<ProfileProgress, void> {
    for (let index = 0; index < this.#planned; index++) {
      throwIfCancelled(signal);
      yield* this.#measure(this.#batches[index]!, signal);
      this.#done++;
    }
    await this.#addCalibrated(this.#centring.finish());
  }

  async *#measure(batch: readonly Triplet[], signal?: AbortSignal): AsyncGenerator<ProfileProgress, void> {
    const texts = this.#prepare(batch);
    const batchTokens = texts.reduce((sum, text) => sum + text.ids.length, 0);
    const { outputs: layers } = this.#encoder;
    const size = this.#encoder.checkpoint.config.hiddenSize;
    const rows = batch.length;
    const queries = new Float32Array(layers * rows * size);
    const documents = new Float32Array(layers * 2 * rows * size);
    let tokens = 0;
    for await (const run of this.#encoder.runs(texts, signal)) {
      const count = run.texts.length;
      for (let layer = 0; layer < layers; layer++) {
        run.texts.forEach((place, i) => {
          const from = (layer * count + i) * size;
          const vector = run.embeddings.subarray(from, from + size);
          if (place < rows) queries.set(vector, (layer * rows + place) * size);
          else documents.set(vector, (layer * 2 * rows + place - rows) * size);
        });
      }
      tokens += run.tokens;
      this.#textsDone += count;
      this.#tokens += run.tokens;
      this.#computed += run.computed;
      this.#peak = Math.max(this.#peak, residentBytes());
      yield this.#progress(tokens / batchTokens);
    }
    const vectors: LayerVectors = { queries, documents, shape: { layers, rows, candidates: 2 * rows, size } };
    await this.#plain.add(async (scale) => this.#checkedLosses(await this.#losses.compute(vectors, scale)));
    await this.#addCalibrated(this.#centring.add(vectors));
  }

  async #addCalibrated(vectors: LayerVectors | undefined): Promise<void> {
    if (vectors !== undefined) await this.#calibrated.add((scale) => this.#losses.compute(vectors, scale));
  }

  #checkedLosses(losses: number[]): number[] {
    const at = losses.findIndex((loss) => !Number.isFinite(loss));
    if (at < 0) return losses;
    throw errors.notFinite(
      `The model "${this.#encoder.checkpoint.name}" has no loss at layer ${at + 1}, where it gives vectors without a direction: its weights are damaged; fetch or make it again.`,
    );
  }

  /** Queries, positives, negatives (the first of each row, as the paper's loss takes). */
  #prepare(batch: readonly Triplet[]): EncoderText[] {
    const { separator } = this.#request;
    return [
      ...batch.map(({ query, instruction }) => this.#encoder.prepare(instruction === undefined ? { text: query } : { text: query, instruction, separator })),
      ...batch.map(({ positive }) => this.#encoder.prepare({ text: positive })),
      ...batch.map(({ negatives }) => this.#encoder.prepare({ text: negatives[0]! })),
    ];
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
      texts: this.#planned * this.#request.batchSize * 3,
      tokensDone: this.#tokens,
      secondsElapsed,
      secondsLeft: this.#secondsLeft,
      layers: this.#done === 0 ? [] : this.#plain.layers(this.#request.scale),
    };
  }

  async finish(data: TripletSet): Promise<LossCurve> {
    const { checkpoint } = this.#encoder;
    const { layers: _, ...settings } = this.#request;
    const { scale, seed } = settings;
    const plain = this.#plain.curve(scale, seed);
    const calibrated = this.#calibrated.isFinite ? { ...this.#calibrated.curve(scale, seed), calibration: 'router' as const } : undefined;
    return {
      ...plain,
      ...(calibrated === undefined ? {} : { calibrated }),
      warnings: warnings(plain, calibrated, scale),
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
  }

  #seconds(): number {
    return (performance.now() - this.#started) / 1000;
  }
}

/** What a person should know before cutting where the curve says. */
function warnings({ scales }: CutCurve, calibrated: CutCurve | undefined, scale: number): string[] {
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
  if (calibrated === undefined) found.push('There is no calibrated curve: with their means taken off, vectors of these texts have no direction left.');
  return found;
}
