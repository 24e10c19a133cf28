import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { openTrainingData, type TrainingData } from '../data/training.ts';
import type { Engine, Executable } from '../engine/engine.ts';
import { withAdapter } from '../encoder/adapted.ts';
import { Encoder } from '../encoder/encoder.ts';
import { embedTexts } from '../eval/embed.ts';
import { rankByVectors, scoreOf } from '../eval/retrieval.ts';
import type { Corpus } from '../eval/corpus.ts';
import type { EvaluateProgress } from '../eval/system.ts';
import { readRetrieval } from '../eval/tasks/open.ts';
import type { LoraParameters } from '../models/types.ts';
import type { CheckpointEncoderSettings } from '../prune/manifest.ts';
import type { EvaluationMetric, StepEvaluation } from './metrics.ts';
import { lossFeeds } from './gradient.ts';
import { lossProgram, type TrainedModel } from './programs.ts';
import type { TrainingSettings } from './settings.ts';
import { prepareBatch } from './usable-rows.ts';

/** Texts that are not trained on, and what is measured on them. */
export interface EvaluationData {
  readonly metric: EvaluationMetric;
  readonly fingerprint: string;
  open(engine: Engine, model: TrainedModel, use: EvaluationUse): Promise<Evaluator>;
  close(): Promise<void>;
}

/** How the model is run while it is measured. */
export interface EvaluationUse {
  readonly settings: TrainingSettings;
  /** As the checkpoint will encode. */
  readonly encoder: CheckpointEncoderSettings;
  /** Any parameters of the adapter; each evaluation has its own. */
  readonly parameters: LoraParameters;
}

/** Measures parameters of the adapter, over weights that stay in memory. */
export interface Evaluator {
  /** Errors: NOT_FINITE, ENGINE, CANCELLED. */
  evaluate(parameters: LoraParameters, signal?: AbortSignal): AsyncGenerator<EvaluateProgress, StepEvaluation>;
  dispose(): Promise<void>;
}

/** More held-out batches change a mean loss by less than the steps between two evaluations do. */
const mostBatches = 32;

/** Whether one value of the metric is better than another. */
export function isBetter(metric: EvaluationMetric, value: number, other: number): boolean {
  return metric === 'loss' ? value < other : value > other;
}

/**
 * Opens what a training is measured on: a folder with a corpus and its queries, whose nDCG@10 counts, or triplets, whose
 * loss counts. Errors: NOT_FOUND, BAD_DATA, CANCELLED.
 */
export async function openEvaluation(
  location: string,
  options: { readonly batchSize: number; readonly instruction: string | undefined; readonly signal: AbortSignal | undefined },
): Promise<EvaluationData> {
  if (await holdsCorpus(location)) return new CorpusEvaluation(await readRetrieval(location, options.signal));
  const open = (batchSize: number): Promise<TrainingData> => openTrainingData(location, { ...options, batchSize, seed: 0, order: 'file' });
  const smallest = await open(2);
  const rows = Math.max(...smallest.datasets.map((dataset) => dataset.rows));
  await smallest.close();
  // A large batch to train by asks for no more rows to measure on than there are.
  return new HeldOutEvaluation(await open(Math.min(options.batchSize, rows)));
}

async function holdsCorpus(location: string): Promise<boolean> {
  const found = await Promise.all(['corpus.jsonl', 'corpus.jsonl.gz'].map((name) => stat(join(location, name)).then(() => true, () => false)));
  return found.includes(true);
}

class CorpusEvaluation implements EvaluationData {
  readonly metric = 'ndcgAt10';
  readonly #corpus: Corpus;

  constructor(corpus: Corpus) {
    this.#corpus = corpus;
  }

  get fingerprint(): string {
    return this.#corpus.fingerprint;
  }

  async open(engine: Engine, model: TrainedModel, { encoder: settings, parameters }: EvaluationUse): Promise<Evaluator> {
    const encoder = await openTrainedEncoder(engine, model, settings, parameters);
    return { evaluate: (parameters, signal) => this.#evaluate(encoder.withParameters(parameters), settings, signal), dispose: () => encoder.dispose() };
  }

  async *#evaluate(encoder: Encoder, settings: CheckpointEncoderSettings, signal?: AbortSignal): AsyncGenerator<EvaluateProgress, StepEvaluation> {
    const corpus = this.#corpus;
    const name = 'the model';
    const texts = { query: corpus.queries.map(({ query }) => query), document: corpus.documents.map(({ text }) => text) };
    const vectors = yield* embedTexts({ name, encoder, settings, calibration: undefined }, texts, undefined, signal);
    const { metrics } = scoreOf(corpus, name, 'raw', yield* rankByVectors(corpus, name, vectors, signal));
    return { metric: this.metric, value: metrics['ndcgAt10']!, mrrAt10: metrics['mrrAt10']! };
  }

  async close(): Promise<void> {}
}

class HeldOutEvaluation implements EvaluationData {
  readonly metric = 'loss';
  readonly #data: TrainingData;

  constructor(data: TrainingData) {
    this.#data = data;
  }

  get fingerprint(): string {
    return this.#data.fingerprint;
  }

  async open(engine: Engine, model: TrainedModel, { settings, parameters }: EvaluationUse): Promise<Evaluator> {
    const encoder = await openTrainedEncoder(engine, model, settings, parameters);
    const loss = await engine.compile(lossProgram());
    return {
      evaluate: (parameters, signal) => this.#evaluate(encoder.withParameters(parameters), loss, settings, signal),
      dispose: async () => void (await Promise.all([encoder.dispose(), loss.dispose()])),
    };
  }

  /** The mean over queries of the loss that training has, without its dropout. */
  async *#evaluate(
    encoder: Encoder,
    program: Executable<string, 'loss'>,
    settings: TrainingSettings,
    signal?: AbortSignal,
  ): AsyncGenerator<EvaluateProgress, StepEvaluation> {
    const batches = Math.min(mostBatches, this.#data.batchesPerEpoch);
    const size = encoder.checkpoint.config.hiddenSize;
    let sum = 0;
    let queries = 0;
    for (let step = 0; step < batches; step++) {
      const { batch } = prepareBatch(await this.#data.batch(step), encoder.checkpoint.tokenizer, settings);
      const rows = batch.queries.length;
      const vectors = await encoder.encode([...batch.queries, ...batch.documents], signal);
      const { loss } = await program.run({
        queries: { type: 'float32', data: vectors.subarray(0, rows * size), shape: [rows, size] },
        documents: { type: 'float32', data: vectors.subarray(rows * size), shape: [batch.documents.length, size] },
        ...lossFeeds(batch, settings.scale),
      });
      sum += loss.data[0]! * rows;
      queries += rows;
      yield { what: 'measuring the held-out loss', done: step + 1, total: batches };
    }
    return { metric: this.metric, value: sum / queries };
  }

  close(): Promise<void> {
    return this.#data.close();
  }
}

/** The model with these parameters as an encoder, without dropout. Errors: those of `Encoder.open`. */
export function openTrainedEncoder(engine: Engine, { checkpoint, layers, lora }: TrainedModel, settings: Omit<CheckpointEncoderSettings, 'instruction'>, parameters: LoraParameters): Promise<Encoder> {
  const { attention, pooling, maxLength } = settings;
  return Encoder.open(engine, withAdapter(checkpoint, { lora, parameters }), { attention, pooling, maxLength, layers, output: 'last' });
}
