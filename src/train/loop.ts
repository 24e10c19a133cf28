import { setImmediate } from 'node:timers/promises';
import type { Triplet } from '../data/triplet.ts';
import type { Engine } from '../engine/engine.ts';
import { errors, throwIfCancelled } from '../errors.ts';
import type { Checkpoint, LoraParameters } from '../models/types.ts';
import { Random } from '../random.ts';
import { clipGradients, defaultAdamW, initAdamW, updateAdamW } from './adamw.ts';
import { Gradients } from './gradient.ts';
import { initLora } from './init.ts';
import type { StepMetrics } from './metrics.ts';
import { modulesOf, type TrainedModel } from './programs.ts';
import { learningRate } from './schedule.ts';
import { loraOf, type TrainingSettings } from './settings.ts';
import type { TrainingState } from './state.ts';
import { prepareBatch } from './usable-rows.ts';

/**
 * The rows of a step, 0-based: a function of the step and of the parameters before it, so that a run that goes on sees
 * what it would have seen.
 */
export type BatchSource = (step: number, parameters: LoraParameters) => Promise<readonly Triplet[]>;

export interface StepsOptions {
  /** Most padded tokens in one run of the engine. */
  readonly runTokens: number;
  /** Where to go on from; the beginning when undefined. */
  readonly from?: TrainingState | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A step that is done: what is written of it, and where the run now stands. */
export interface TrainedStep {
  readonly metrics: StepMetrics;
  readonly state: TrainingState;
  /** Documents that each query was told from: an encoder that knows nothing has a loss of their logarithm. */
  readonly candidates: number;
}

/** The model that is trained: the first layers of a checkpoint, with the adapter of these settings. */
export function trainedModel(checkpoint: Checkpoint, settings: TrainingSettings): TrainedModel {
  return { checkpoint, layers: settings.layers, lora: loraOf(settings), attention: settings.attention, precision: settings.precision };
}

/** The state of a run before its first step: a new adapter, or the one that it goes on from. */
export function initialState(model: TrainedModel, seed: number, adapter?: LoraParameters): TrainingState {
  const parameters = adapter ?? initLora(modulesOf(model), model.lora.rank, Random.fromSeed(seed));
  return { step: 0, parameters, optimizer: initAdamW(parameters) };
}

/**
 * Trains a LoRA by the contrastive loss (paper, sections 3.1 and 4.1) and yields every step. What a step gives depends on
 * settings, data and the state before it alone. The signal is obeyed between two runs of the engine; the step that was
 * under way is then lost, and the state yielded last is where to go on from.
 *
 * Errors: DIVERGED (a number that is none), ENGINE, BAD_DATA, those of `batches`, CANCELLED.
 */
export async function* trainSteps(
  engine: Engine,
  checkpoint: Checkpoint,
  batches: BatchSource,
  settings: TrainingSettings,
  { runTokens, from, signal }: StepsOptions,
): AsyncGenerator<TrainedStep, void> {
  const model = trainedModel(checkpoint, settings);
  const gradients = new Gradients(engine, model, { pooling: settings.pooling, scale: settings.scale, runTokens });
  let state = from ?? initialState(model, settings.seed);
  try {
    while (state.step < settings.steps) {
      await setImmediate();
      throwIfCancelled(signal);
      const started = performance.now();
      const { batch, skipped } = prepareBatch(await batches(state.step, state.parameters), checkpoint.tokenizer, settings);
      const { loss, gradients: found, tokens } = await gradients.compute(state.parameters, batch, stepSeed(settings.seed, state.step), signal);
      const gradNorm = clipGradients(found, settings.clip);
      checkFinite(loss, gradNorm, state.step + 1);
      const lr = learningRate(settings, state.step);
      state = stepped(state, found, lr, settings.weightDecay);
      const seconds = (performance.now() - started) / 1000;
      const metrics = { step: state.step, loss, gradNorm, lr, tokens, seconds, ...(skipped > 0 ? { skipped } : {}) };
      yield { metrics, state, candidates: batch.documents.length };
    }
  } finally {
    await gradients.dispose();
  }
}

function stepped({ step, parameters, optimizer }: TrainingState, gradients: LoraParameters, lr: number, weightDecay: number): TrainingState {
  const updated = updateAdamW(parameters, gradients, optimizer, lr, { ...defaultAdamW, weightDecay });
  return { step: step + 1, parameters: updated.parameters, optimizer: updated.state };
}

/** Of a step's dropout. */
function stepSeed(seed: number, step: number): number {
  return (seed % 2 ** 21) * 2 ** 32 + step;
}

function checkFinite(loss: number, gradNorm: number, step: number): void {
  if (Number.isFinite(loss) && Number.isFinite(gradNorm)) return;
  throw errors.diverged(`The training diverged: at step ${step} its loss is ${loss} and the norm of its gradient ${gradNorm}.`);
}
