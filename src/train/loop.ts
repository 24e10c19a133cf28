import { setImmediate } from 'node:timers/promises';
import type { Triplet } from '../data/triplet.ts';
import type { Engine } from '../engine/engine.ts';
import { initLora } from './init.ts';
import type { LoraParameters, LoraSettings } from '../encoder/lora.ts';
import { prepareText } from '../encoder/prompt.ts';
import { CancelledError, errors } from '../errors.ts';
import type { Checkpoint } from '../models/types.ts';
import { Random } from '../random.ts';
import { clipGradients, defaultAdamW, initAdamW, updateAdamW } from './adamw.ts';
import { contrastiveBatch } from './batch.ts';
import { Gradients } from './gradient.ts';
import type { StepMetrics } from './metrics.ts';
import { modulesOf, type TrainedModel } from './programs.ts';
import { learningRate } from './schedule.ts';
import type { TrainingSettings } from './settings.ts';
import type { TrainingState } from './state.ts';

/** The rows of a step, 0-based: a function of the step alone, so that a run that goes on sees what it would have seen. */
export type BatchSource = (step: number) => Promise<readonly Triplet[]>;

export interface TrainOptions {
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
}

export function loraOf({ loraRank, loraAlpha, dropout, targets }: TrainingSettings): LoraSettings {
  return { rank: loraRank, alpha: loraAlpha, dropout, targets };
}

/** The state of a run before its first step. */
export function initialState(model: TrainedModel, seed: number): TrainingState {
  const parameters = initLora(modulesOf(model), model.lora.rank, Random.fromSeed(seed));
  return { step: 0, parameters, optimizer: initAdamW(parameters) };
}

/**
 * Trains a LoRA by the contrastive loss (paper, sections 3.1 and 4.1) and yields every step. What a step gives depends on
 * settings, data and the state before it alone. The signal is obeyed between two runs of the engine; the step that was
 * under way is then lost, and the state yielded last is where to go on from.
 *
 * Errors: DIVERGED, ENGINE, NOTHING_TO_POOL, those of `batches`, CANCELLED.
 */
export async function* trainSteps(
  engine: Engine,
  checkpoint: Checkpoint,
  batches: BatchSource,
  settings: TrainingSettings,
  { runTokens, from, signal }: TrainOptions,
): AsyncGenerator<TrainedStep, void> {
  const model: TrainedModel = { checkpoint, layers: settings.layers, lora: loraOf(settings), attention: settings.attention };
  const gradients = new Gradients(engine, model, { pooling: settings.pooling, scale: settings.scale, runTokens });
  let state = from ?? initialState(model, settings.seed);
  try {
    while (state.step < settings.steps) {
      await setImmediate();
      if (signal?.aborted) throw new CancelledError();
      const started = performance.now();
      const rows = await batches(state.step);
      const batch = contrastiveBatch(rows, (input) => prepareText(checkpoint.tokenizer, input, settings.maxLength), settings.separator);
      const { loss, gradients: found, tokens } = await gradients.compute(state.parameters, batch, stepSeed(settings.seed, state.step), signal);
      const gradNorm = clipGradients(found, settings.clip);
      checkFinite(loss, gradNorm, state.step + 1);
      const lr = learningRate(settings, state.step);
      state = stepped(state, found, lr, settings.weightDecay);
      yield { metrics: { step: state.step, loss, gradNorm, lr, tokens, seconds: (performance.now() - started) / 1000 }, state };
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
  throw errors.diverged(`The training diverged: at step ${step} the loss is ${loss} and the gradient ${gradNorm}. Train again with a lower --lr or a longer --warmup.`);
}
