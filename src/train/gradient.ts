import { setImmediate } from 'node:timers/promises';
import type { Engine, Executable, GradientOf } from '../engine/engine.ts';
import type { TensorData } from '../engine/ops.ts';
import type { EncoderText } from '../encoder/prompt.ts';
import type { Pooling } from '../encoder/settings.ts';
import { textFeeds } from '../encoder/texts.ts';
import { throwIfCancelled } from '../errors.ts';
import type { ContrastiveBatch } from './batch.ts';
import { drawMasks, maskRowsOf } from './dropout.ts';
import { fillRuns, planGroups } from './groups.ts';
import { loraFeeds, parameterNames, type LoraParameters } from '../encoder/lora.ts';
import { batchProgram, embeddingProgram, modulesOf, surrogateProgram, type TrainedModel } from './programs.ts';

/** The mean loss of a batch in nats, its gradient by every parameter, and the real tokens that went through. */
export interface BatchGradient {
  readonly loss: number;
  readonly gradients: Map<string, Float32Array>;
  readonly tokens: number;
}

export interface GradientOptions {
  readonly pooling: Pooling;
  /** Of the cosine in the loss. */
  readonly scale: number;
  /** Most tokens that go through forward and backward in one run; a larger batch is computed by gradient caching. */
  readonly runTokens: number;
}

type Feeds = Record<string, TensorData>;
type Trainable = Executable<string, 'loss' | GradientOf<string>>;

/** The texts of a run of the engine by their places in the batch, in groups of similar length. */
type Run = readonly (readonly number[])[];

/** Groups of a run that attention is computed in: more pad less, and take longer to compile. */
const mostGroups = 4;

/**
 * Computes losses and gradients of contrastive batches. A batch that fits is one run; a larger one goes by gradient
 * caching (Gao et al. 2021, arXiv 2101.06983) in several: what all but one give as embeddings, the loss and its gradient
 * in the run of the texts that are left, which then needs no second pass, and run by run again what the others bring to
 * the adapter. Both give the same gradients.
 */
export class Gradients {
  readonly #engine: Engine;
  readonly #model: TrainedModel;
  readonly #options: GradientOptions;
  readonly #parameters: readonly string[];
  /** Programs by how many groups they compute attention in, made when first needed. */
  readonly #batch = new Map<string, Promise<Trainable>>();
  readonly #embedding = new Map<number, Promise<Executable<string, 'embeddings'>>>();
  readonly #surrogate = new Map<number, Promise<Trainable>>();

  constructor(engine: Engine, model: TrainedModel, options: GradientOptions) {
    this.#engine = engine;
    this.#model = model;
    this.#options = options;
    this.#parameters = modulesOf(model).flatMap((module) => Object.values(parameterNames(module)));
  }

  /** `seed` decides the step's dropout. Errors: ENGINE, CANCELLED (between two runs). */
  async compute(parameters: LoraParameters, batch: ContrastiveBatch, seed: number, signal?: AbortSignal): Promise<BatchGradient> {
    const texts = [...batch.queries, ...batch.documents];
    const lengths = texts.map((text) => text.ids.length);
    const shared = this.#sharedFeeds(parameters, seed);
    // Padding costs attention alone: what counts is that runs are few, and full the one that is computed once.
    const runs: Run[] = fillRuns(lengths, this.#options.runTokens)
      .map((places) => planGroups(places.map((place) => lengths[place]!), mostGroups).map((group) => group.map((i) => places[i]!)))
      .toSorted((a, b) => tokensOf(b, lengths) - tokensOf(a, lengths));
    const [last, ...others] = runs as [Run, ...Run[]];

    const embeddings = await this.#embed(texts, others, shared, signal);
    await pause(signal);
    const { loss, gradients, byOthers } = await this.#differentiate(batch, texts, last, { places: others.flat(2), embeddings }, shared);
    await this.#addOthers(gradients, texts, others, byOthers, shared, signal);
    return { loss, gradients, tokens: sum(lengths) };
  }

  async dispose(): Promise<void> {
    const all = await Promise.all([...this.#batch.values(), ...this.#embedding.values(), ...this.#surrogate.values()]);
    await Promise.all(all.map((executable) => executable.dispose()));
  }

  /** The embeddings of the texts of some runs under each other, row-major. */
  async #embed(texts: readonly EncoderText[], runs: readonly Run[], shared: Feeds, signal: AbortSignal | undefined): Promise<Float32Array> {
    const size = this.#model.checkpoint.config.hiddenSize;
    const embeddings = new Float32Array(runs.flat(2).length * size);
    let row = 0;
    for (const run of runs) {
      await pause(signal);
      const embed = await once(this.#embedding, run.length, () => this.#engine.compile(embeddingProgram(this.#model, run.length)));
      embeddings.set((await embed.run({ ...shared, ...this.#textFeeds(texts, run) })).embeddings.data, row * size);
      row += run.flat().length;
    }
    return embeddings;
  }

  /** The loss, what the texts of a run bring to the adapter, and the gradient by the embeddings of the others. */
  async #differentiate(
    batch: ContrastiveBatch,
    texts: readonly EncoderText[],
    run: Run,
    others: { readonly places: readonly number[]; readonly embeddings: Float32Array },
    shared: Feeds,
  ) {
    const rowOf = new Map([...run.flat(), ...others.places].map((place, row) => [place, row]));
    const queries = batch.queries.length;
    const feeds: Feeds = {
      ...shared,
      ...lossFeeds(batch, this.#options.scale),
      ...this.#textFeeds(texts, run),
      queryRows: rows(batch.queries.map((_, query) => rowOf.get(query)!)),
      documentRows: rows(batch.documents.map((_, document) => rowOf.get(queries + document)!)),
    };
    const isWhole = others.places.length === 0;
    if (!isWhole) feeds.others = matrix(others.embeddings, others.places.length);
    const parameters = isWhole ? this.#parameters : [...this.#parameters, 'others'];
    const program = await once(this.#batch, `${run.length} ${isWhole}`, () => this.#engine.differentiate(batchProgram(this.#model, run.length, isWhole), 'loss', parameters));
    const results = await program.run(feeds);
    const byOthers = isWhole ? new Float32Array() : results['gradient.others']!.data;
    return { loss: results.loss.data[0]!, gradients: this.#gradientsOf(results), byOthers };
  }

  /** Adds what the texts of some runs bring, of which `byEmbeddings` has the gradients under each other. */
  async #addOthers(
    gradients: Map<string, Float32Array>,
    texts: readonly EncoderText[],
    runs: readonly Run[],
    byEmbeddings: Float32Array,
    shared: Feeds,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const size = this.#model.checkpoint.config.hiddenSize;
    let row = 0;
    for (const run of runs) {
      await pause(signal);
      const count = run.flat().length;
      const surrogate = await once(this.#surrogate, run.length, () => this.#engine.differentiate(surrogateProgram(this.#model, run.length), 'loss', this.#parameters));
      const cached = matrix(byEmbeddings.subarray(row * size, (row + count) * size), count);
      const part = this.#gradientsOf(await surrogate.run({ ...shared, ...this.#textFeeds(texts, run), cached }));
      for (const [name, gradient] of gradients) addTo(gradient, part.get(name)!);
      row += count;
    }
  }

  #sharedFeeds(parameters: LoraParameters, seed: number): Feeds {
    const { lora } = this.#model;
    const modules = modulesOf(this.#model);
    const feeds: Feeds = lora.dropout > 0 ? drawMasks(modules, lora.dropout, seed) : {};
    return Object.assign(feeds, loraFeeds(modules, lora.rank, parameters));
  }

  /** What programs are fed of the texts at these places of the batch. */
  #textFeeds(texts: readonly EncoderText[], groups: readonly (readonly number[])[]): Feeds {
    const { checkpoint, lora, attention } = this.#model;
    const own = groups.map((places) => places.map((place) => texts[place]!));
    const feeds: Feeds = textFeeds(checkpoint.config, { attention, pooling: this.#options.pooling }, own);
    if (lora.dropout > 0) feeds.maskRows = maskRowsOf(groups.flat(), own.flat().map(({ ids }) => ids.length), feeds.inputIds!.shape[1]!);
    return feeds;
  }

  #gradientsOf(results: Readonly<Record<string, { readonly data: Float32Array }>>): Map<string, Float32Array> {
    return new Map(this.#parameters.map((name) => [name, results[`gradient.${name}`]!.data]));
  }
}

/** What `lossProgram` is fed beside the embeddings of a batch. */
export function lossFeeds({ queries, documents, negatives }: ContrastiveBatch, scale: number): Record<'target' | 'bias' | 'scale', TensorData> {
  const shape = [queries.length, documents.length];
  const target = new Float32Array(queries.length * documents.length);
  queries.forEach((_, row) => (target[row * documents.length + row] = 1 / queries.length));
  return {
    target: { type: 'float32', data: target, shape },
    bias: { type: 'float32', data: negatives, shape },
    scale: { type: 'float32', data: Float32Array.of(scale), shape: [1] },
  };
}

/** Lets the event loop turn. Errors: CANCELLED. */
async function pause(signal: AbortSignal | undefined): Promise<void> {
  await setImmediate();
  throwIfCancelled(signal);
}

/** What stands at a key, made where nothing does. */
function once<K, V>(known: Map<K, Promise<V>>, key: K, make: () => Promise<V>): Promise<V> {
  let value = known.get(key);
  if (value === undefined) known.set(key, (value = make()));
  return value;
}

function tokensOf(run: Run, lengths: readonly number[]): number {
  return sum(run.flat().map((place) => lengths[place]!));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function matrix(data: Float32Array, count: number): TensorData {
  return { type: 'float32', data, shape: [count, data.length / count] };
}

function rows(indices: readonly number[]): TensorData {
  return { type: 'int64', data: BigInt64Array.from(indices, BigInt), shape: [indices.length] };
}

function addTo(sum: Float32Array, part: Float32Array): void {
  for (let i = 0; i < sum.length; i++) sum[i]! += part[i]!;
}
