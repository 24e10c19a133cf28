import { setImmediate } from 'node:timers/promises';
import type { Engine, Executable, GradientOf } from '../engine/engine.ts';
import type { TensorData } from '../engine/ops.ts';
import { planRuns } from '../encoder/batching.ts';
import type { EncoderText } from '../encoder/prompt.ts';
import type { Pooling } from '../encoder/settings.ts';
import { textFeeds } from '../encoder/texts.ts';
import { throwIfCancelled } from '../errors.ts';
import type { ContrastiveBatch } from './batch.ts';
import { drawMasks, maskRowsOf } from './dropout.ts';
import { planGroups } from './groups.ts';
import { loraFeeds, parameterNames, type LoraParameters } from '../encoder/lora.ts';
import { batchProgram, embeddingProgram, lossProgram, modulesOf, surrogateProgram, type TrainedModel } from './programs.ts';

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

/** Groups of a run that attention is computed in: more pad less, and take longer to compile. */
const mostGroups = 4;

/**
 * Computes losses and gradients of contrastive batches. A batch that fits is one run; a larger one goes by gradient
 * caching (Gao et al. 2021, arXiv 2101.06983): its embeddings run by run, the loss and its gradient by them, then run by
 * run again what each brings to the adapter. Both give the same gradients. Sessions are made when first needed.
 */
export class Gradients {
  readonly #engine: Engine;
  readonly #model: TrainedModel;
  readonly #options: GradientOptions;
  readonly #parameters: readonly string[];
  readonly #whole = new Map<number, Promise<Trainable>>();
  #cached: Promise<{ embed: Executable<string, 'embeddings'>; loss: Trainable; surrogate: Trainable }> | undefined;

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
    const tokens = lengths.reduce((sum, length) => sum + length, 0);
    const shared = this.#sharedFeeds(parameters, seed);
    const computed =
      tokens <= this.#options.runTokens
        ? await this.#inOneRun(batch, texts, planGroups(lengths, Math.min(mostGroups, texts.length)), shared)
        : await this.#byCaching(batch, texts, planRuns(lengths, this.#options.runTokens), shared, signal);
    return { ...computed, tokens };
  }

  async dispose(): Promise<void> {
    const cached = await this.#cached;
    const all = [...(await Promise.all(this.#whole.values())), ...Object.values(cached ?? {})];
    await Promise.all(all.map((executable) => executable.dispose()));
  }

  async #inOneRun(batch: ContrastiveBatch, texts: readonly EncoderText[], groups: number[][], shared: Feeds) {
    const { length } = groups;
    let program = this.#whole.get(length);
    if (program === undefined) {
      program = this.#engine.differentiate(batchProgram(this.#model, length), 'loss', this.#parameters);
      this.#whole.set(length, program);
    }
    const rowOf = new Map(groups.flat().map((place, row) => [place, row]));
    const queries = batch.queries.length;
    const feeds: Feeds = {
      ...shared,
      ...lossFeeds(batch, this.#options.scale),
      ...this.#textFeeds(texts, groups),
      queryRows: rows(batch.queries.map((_, query) => rowOf.get(query)!)),
      documentRows: rows(batch.documents.map((_, document) => rowOf.get(queries + document)!)),
    };
    const results = await (await program).run(feeds);
    return { loss: results.loss.data[0]!, gradients: this.#gradientsOf(results) };
  }

  async #byCaching(batch: ContrastiveBatch, texts: readonly EncoderText[], runs: readonly (readonly number[])[], shared: Feeds, signal: AbortSignal | undefined) {
    this.#cached ??= this.#compileCaching();
    const { embed, loss, surrogate } = await this.#cached;
    const size = this.#model.checkpoint.config.hiddenSize;
    const embeddings = new Float32Array(texts.length * size);
    for (const run of runs) {
      await setImmediate();
      throwIfCancelled(signal);
      const { data } = (await embed.run({ ...shared, ...this.#textFeeds(texts, [run]) })).embeddings;
      run.forEach((place, row) => embeddings.set(data.subarray(row * size, (row + 1) * size), place * size));
    }

    const queries = batch.queries.length;
    const results = await loss.run({
      queries: { type: 'float32', data: embeddings.subarray(0, queries * size), shape: [queries, size] },
      documents: { type: 'float32', data: embeddings.subarray(queries * size), shape: [batch.documents.length, size] },
      ...lossFeeds(batch, this.#options.scale),
    });
    const byText = new Float32Array(texts.length * size);
    byText.set(results['gradient.queries']!.data, 0);
    byText.set(results['gradient.documents']!.data, queries * size);

    let total: Map<string, Float32Array> | undefined;
    for (const run of runs) {
      await setImmediate();
      throwIfCancelled(signal);
      const cached = new Float32Array(run.length * size);
      run.forEach((place, row) => cached.set(byText.subarray(place * size, (place + 1) * size), row * size));
      const feeds = { ...shared, ...this.#textFeeds(texts, [run]), cached: { type: 'float32', data: cached, shape: [run.length, size] } as const };
      const part = this.#gradientsOf(await surrogate.run(feeds));
      if (total === undefined) total = part;
      else for (const [name, gradient] of total) addTo(gradient, part.get(name)!);
    }
    return { loss: results.loss.data[0]!, gradients: total! };
  }

  async #compileCaching() {
    const [embed, loss, surrogate] = await Promise.all([
      this.#engine.compile(embeddingProgram(this.#model)),
      this.#engine.differentiate(lossProgram(), 'loss', ['queries', 'documents']),
      this.#engine.differentiate(surrogateProgram(this.#model), 'loss', this.#parameters),
    ]);
    return { embed, loss: loss as Trainable, surrogate };
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

function rows(indices: readonly number[]): TensorData {
  return { type: 'int64', data: BigInt64Array.from(indices, BigInt), shape: [indices.length] };
}

function addTo(sum: Float32Array, part: Float32Array): void {
  for (let i = 0; i < sum.length; i++) sum[i]! += part[i]!;
}
