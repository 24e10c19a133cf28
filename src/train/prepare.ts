import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TrainingData } from '../data/training.ts';
import { readAdapter } from '../encoder/adapter.ts';
import { loraModules, parameterNames } from '../encoder/lora.ts';
import type { EngineName, EngineOptions } from '../engine/open.ts';
import type { EngineChoice } from '../engine/select.ts';
import { errors } from '../errors.ts';
import { given } from '../given.ts';
import type { Checkpoint, DecoderConfig, Lora, LoraParameters } from '../models/types.ts';
import type { LossCurve } from '../prune/curve.ts';
import { mostBatches, openModelFor, profileRequestFor } from '../prune/inputs.ts';
import type { Depth } from '../prune/job.ts';
import { profile } from '../prune/profile.ts';
import { ProgressQueue } from '../prune/progress-queue.ts';
import { layersToKeep } from '../prune/prune.ts';
import { chooseSettings, type ChosenSettings } from './choose-settings.ts';
import type { TrainDepth, TrainJob, TrainProgress } from './job.ts';
import { firstRows, readData, type DataToTrainOn } from './read-data.ts';
import type { RunDescription } from './run-folder.ts';
import { checkSettings, type TrainingSettings } from './settings.ts';

export interface TrainContext {
  readonly home: string;
  readonly signal: AbortSignal;
  readonly threads?: number | undefined;
  readonly engine?: EngineChoice | undefined;
  readonly device?: EngineOptions['device'];
}

/** A model with the engine that will train it. */
export type Opened = Awaited<ReturnType<typeof openModelFor>>;

/** What a run that is gone on from was begun with. */
export type EarlierRun = Pick<RunDescription, 'settings'> & Partial<Pick<RunDescription, 'instruction' | 'engine'>>;

/** A job whose model, settings and data are known, and of which nothing is written yet. */
export interface PreparedTraining {
  readonly job: TrainJob;
  readonly opened: Opened;
  readonly chosen: ChosenSettings;
  readonly instruction: string | undefined;
  /** The adapter that is gone on from. */
  readonly start: Lora | undefined;
  /** Whoever asked for it closes it. */
  readonly read: DataToTrainOn;
  readonly context: TrainContext;
}

/**
 * Gets the model of a job, decides its settings and reads its data. Errors: USAGE, those of opening model, adapter and
 * data.
 */
export async function* prepareTraining(
  job: TrainJob,
  depths: readonly TrainDepth[],
  earlier: EarlierRun | undefined,
  context: TrainContext,
): AsyncGenerator<TrainProgress, PreparedTraining> {
  const device = askedDevice(context) ?? earlier?.engine?.device;
  const computed: ComputedAs = { ...earlier?.settings, ...given(job.settings ?? {}) };
  if (device === 'webgpu' && computed.precision === 'int8') throw errors.usage('--precision int8 is for the CPU: leave it out with --device webgpu.');
  const opened = yield* openForTraining(job, { ...context, device }, earlier, computed);
  const { config, tokenizer } = opened.checkpoint;
  for (const depth of depths) if (depth.kind === 'layers' || depth.kind === 'percent') layersToKeep(depth, config.numHiddenLayers, null);
  const start = job.adapter === undefined ? opened.checkpoint.adapter : await readAdapter(job.adapter, config);
  const instruction = job.instruction ?? earlier?.instruction ?? undefined;
  const chosen = await chooseSettings(opened.checkpoint, job.settings ?? {}, { instruction, start, earlier: earlier?.settings });
  const { signal } = context;
  const temporaryFolder = join(context.home, 'tmp');
  await mkdir(temporaryFolder, { recursive: true });
  const read = yield* readData(job.data, { settings: chosen.training, instruction, tokenizer, temporaryFolder, signal });
  return { job, opened, chosen, instruction, start, read, context };
}

/** Errors: USAGE for what makes no sense whatever the model is. */
export function checkJob({ settings, microBatch, saveEvery, evaluation, resume, force }: TrainJob): void {
  checkSettings(settings ?? {});
  if (resume && force) throw errors.usage('Go on with a training by --resume or begin it again by --force, not both.');
  for (const [option, value] of [['--micro-batch', microBatch], ['--save-every', saveEvery], ['--eval-every', evaluation?.every], ['--early-stop', evaluation?.earlyStop]] as const)
    if (value !== undefined && !(Number.isSafeInteger(value) && value > 0)) throw errors.usage(`${option} cannot be ${value}: it has to be a whole number above 0.`);
}

/** What a run computes with that is ONNX Runtime's, or is nothing but slow elsewhere. */
type ComputedAs = Partial<Pick<TrainingSettings, 'precision' | 'baseBits'>>;

/** Opens the model, and the engine that its run was begun with. */
async function* openForTraining(job: TrainJob, context: TrainContext, earlier: EarlierRun | undefined, { precision, baseBits }: ComputedAs): AsyncGenerator<TrainProgress, Opened> {
  const { home, signal, device } = context;
  const needsOnnx = precision === 'int8' || typeof baseBits === 'number';
  const engine = askedEngine(context) ?? earlier?.engine?.name ?? (needsOnnx ? 'onnx' : undefined);
  const threads = context.threads ?? earlier?.engine?.threads ?? undefined;
  const opening = new ProgressQueue<TrainProgress, Opened>((push) =>
    openModelFor(job.model, {
      home,
      signal,
      threads,
      engine,
      device,
      onProgress: ({ what, doneBytes, totalBytes }) => push({ kind: 'model', what, done: doneBytes, total: totalBytes }),
    }),
  );
  const opened = yield* opening.drain();
  yield { kind: 'note', sentence: opened.how };
  return opened;
}

/** The engine that was asked for by its name. */
export function askedEngine({ engine }: TrainContext): EngineName | undefined {
  return engine === 'auto' ? undefined : engine;
}

/** The device that was asked for by its name. */
export function askedDevice({ device }: TrainContext): 'cpu' | 'webgpu' | undefined {
  return device === 'auto' ? undefined : device;
}

/** Measures the loss by layer on the data that is trained on. */
export async function* profileData({ opened: { checkpoint, engine }, chosen, read: { data }, context: { signal } }: PreparedTraining): AsyncGenerator<TrainProgress, LossCurve> {
  const { attention, pooling, separator, scale, seed, order, maxLength, batchSize } = chosen.training;
  const request = await profileRequestFor(checkpoint, { attention, pooling, separator, scale, seed, order, maxLength, batchSize });
  const rows = await firstRows(data, mostBatches * batchSize, ({ negatives }) => negatives.length > 0);
  if (rows.triplets.length === 0) throw errors.badData('No row has a hard negative, which the loss by layer is measured with: give rows with negatives, or say --layers N.');
  const running = profile(engine, checkpoint, rows, request, { signal });
  let step = await running.next();
  for (; !step.done; step = await running.next()) yield { kind: 'profile', progress: step.value };
  return step.value;
}

/** What a run keeps of its model. */
export async function modelOf(checkpoint: Checkpoint): Promise<RunDescription['model']> {
  return { name: checkpoint.name, fingerprint: await checkpoint.fingerprint(), layers: checkpoint.config.numHiddenLayers };
}

/** What a run keeps of its data. */
export function dataOf({ fingerprint, rows, rejected, repeated }: TrainingData): RunDescription['data'] {
  return { fingerprint, rows, rejected: rejected.length, repeated: repeated.count };
}

/** How deep that is in a model of this config. */
export function resolvedDepth(depth: TrainDepth, { numHiddenLayers: layers }: DecoderConfig): Depth {
  return depth.kind === 'all' ? { kind: 'layers', layers } : depth;
}

/** Of an adapter, what belongs to the layers that are kept. Errors: USAGE where it has less than that. */
export function parametersFor({ parameters, lora }: Lora, { config }: Checkpoint, { layers }: TrainingSettings): LoraParameters {
  const names = loraModules(config, layers, lora.targets).flatMap((module) => Object.values(parameterNames(module)));
  const missing = names.find((name) => !parameters.has(name));
  if (missing !== undefined) throw errors.usage(`The adapter that is gone on from has no ${missing}: train as many layers as it was made for.`);
  return new Map(names.map((name) => [name, parameters.get(name)!]));
}

