import { operationsPerToken } from '../../src/encoder/encoder.ts';
import { loraTargets } from '../../src/encoder/lora.ts';
import { prepareText } from '../../src/encoder/prompt.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { availableBytes } from '../../src/memory.ts';
import { clipGradients, defaultAdamW, updateAdamW } from '../../src/train/adamw.ts';
import { contrastiveBatch, type ContrastiveBatch } from '../../src/train/batch.ts';
import { Gradients } from '../../src/train/gradient.ts';
import { initialState } from '../../src/train/loop.ts';
import { planRunTokens } from '../../src/train/plan.ts';
import { modulesOf, type TrainedModel } from '../../src/train/programs.ts';
import type { TrainingState } from '../../src/train/state.ts';
import { operationsOfAttention, separator, settings, type Setup } from './setup.ts';

/** The training that is measured: query, positive and a negative a row, a LoRA on every projection. */
export const training = { layers: 8, rank: 16, alpha: 32, rows: 32, scale: 20, lr: 1e-4, clip: 1 } as const;

export function trainedModel({ checkpoint }: Setup, precision: 'float32' | 'int8' = 'float32'): TrainedModel {
  const { layers, rank, alpha } = training;
  return {
    checkpoint,
    layers: Math.min(layers, checkpoint.config.numHiddenLayers),
    lora: { rank, alpha, dropout: 0, targets: [...loraTargets] },
    attention: settings.attention,
    precision,
  };
}

export function trainingBatch({ checkpoint, triplets }: Setup): ContrastiveBatch {
  const rows = triplets.slice(0, training.rows).map((row) => ({ ...row, negatives: row.negatives.slice(0, 1) }));
  return contrastiveBatch(rows, (input) => prepareText(checkpoint.tokenizer, input, settings.maxLength), separator);
}

/** Our steps on one batch, in runs as `l3prune train` plans them. */
export class OurTraining {
  readonly #gradients: Gradients;
  readonly #batch: ContrastiveBatch;
  #state: TrainingState;

  constructor(engine: Engine, model: TrainedModel, batch: ContrastiveBatch) {
    const need = { config: model.checkpoint.config, layers: model.layers, lora: model.lora, length: settings.maxLength, baseBits: null };
    const runTokens = planRunTokens(need, availableBytes());
    this.#gradients = new Gradients(engine, model, { pooling: settings.pooling, scale: training.scale, runTokens });
    this.#batch = batch;
    this.#state = initialState(model, 1);
  }

  /** The adapter that the next step begins with. */
  get parameters(): TrainingState['parameters'] {
    return this.#state.parameters;
  }

  /** Forward, backward, clipping and AdamW, and how long all of it took. */
  async step(): Promise<{ seconds: number; loss: number }> {
    const start = performance.now();
    const { parameters, optimizer, step } = this.#state;
    const { loss, gradients } = await this.#gradients.compute(parameters, this.#batch, step);
    clipGradients(gradients, training.clip);
    const updated = updateAdamW(parameters, gradients, optimizer, training.lr, defaultAdamW);
    this.#state = { step: step + 1, parameters: updated.parameters, optimizer: updated.state };
    return { seconds: (performance.now() - start) / 1000, loss };
  }

  dispose(): Promise<void> {
    return this.#gradients.dispose();
  }
}

/**
 * 2mnk of a step on texts of these lengths, nothing computed twice: the frozen linear layers forward and once backward (to
 * their input, but for those of the first layer's that nothing below needs), attention's two products forward and twice
 * backward, the LoRA's two forward and twice backward.
 */
export function operationsOfStep(model: TrainedModel, lengths: readonly number[]): number {
  const { config } = model.checkpoint;
  const lora = modulesOf(model).reduce((sum, { inputs, outputs }) => sum + 2 * model.lora.rank * (inputs + outputs), 0);
  const unneeded = 2 * config.hiddenSize * config.headDim * (config.numAttentionHeads + 2 * config.numKeyValueHeads);
  const perToken = 2 * operationsPerToken(config, model.layers) - unneeded + 3 * lora;
  return lengths.reduce((sum, tokens) => sum + tokens * perToken + 3 * operationsOfAttention(config, model.layers, tokens), 0);
}
