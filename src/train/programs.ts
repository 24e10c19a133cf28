import type { Program } from '../engine/engine.ts';
import type { InputSpec, Ops } from '../engine/ops.ts';
import { contrastiveLoss } from '../encoder/loss.ts';
import type { Attention } from '../encoder/settings.ts';
import { pooledLayers, textInputs } from '../encoder/texts.ts';
import { findPrefix } from '../models/config.ts';
import type { Checkpoint } from '../models/types.ts';
import { maskInputs, maskName } from './dropout.ts';
import { loraAdapt, loraInputs, loraModules, type LoraModule, type LoraSettings } from '../encoder/lora.ts';

/** The model that is trained: a frozen decoder cut after its first layers, with a LoRA. */
export interface TrainedModel {
  readonly checkpoint: Checkpoint;
  readonly layers: number;
  readonly lora: LoraSettings;
  readonly attention: Attention;
  /** In what the frozen projections are multiplied: float32 where left out. */
  readonly precision?: 'float32' | 'int8';
}

export const modulesOf = ({ checkpoint, layers, lora }: TrainedModel): LoraModule[] =>
  loraModules(checkpoint.config, layers, lora.targets);

/** Embeddings of the texts of a run in `groups` groups, [N,D]: the first pass of gradient caching. */
export function embeddingProgram(model: TrainedModel, groups: number): Program<string, 'embeddings'> {
  return {
    inputs: modelInputs(model, groups),
    weights: model.checkpoint.quantized ?? model.checkpoint.tensors,
    build: (ops, inputs, weight) => ({ embeddings: embeddingsOf(ops, model, inputs, weight, groups) }),
  };
}

/**
 * sum(embeddings · cached): its gradient by the adapter is what the gradient by the embeddings, `cached` [N,D], brings to
 * these texts: the second pass of gradient caching.
 */
export function surrogateProgram(model: TrainedModel, groups: number): Program<string, 'loss'> {
  // As the texts of the groups under each other are named.
  const texts = Array.from({ length: groups }, (_, group) => `B${group}`).join('+');
  return {
    inputs: { ...modelInputs(model, groups), cached: { type: 'float32', shape: [texts, model.checkpoint.config.hiddenSize] } },
    weights: model.checkpoint.quantized ?? model.checkpoint.tensors,
    build: (ops, inputs, weight) => ({
      loss: ops.sum(ops.sum(ops.mul(embeddingsOf(ops, model, inputs, weight, groups), inputs.cached!))),
    }),
  };
}

/** The inputs of the loss beside the embeddings: see `contrastiveLoss`. `target` holds 1 / Q, so that the loss is a mean. */
const lossInputs: Record<'target' | 'bias' | 'scale', InputSpec> = {
  target: { type: 'float32', shape: ['Q', 'C'] },
  bias: { type: 'float32', shape: ['Q', 'C'] },
  scale: { type: 'float32', shape: [1] },
};

/** The mean loss of a batch from its embeddings: queries [Q,D], documents [C,D]. */
export function lossProgram(): Program<'queries' | 'documents' | 'target' | 'bias' | 'scale', 'loss'> {
  return {
    inputs: { queries: { type: 'float32', shape: ['Q', 'D'] }, documents: { type: 'float32', shape: ['C', 'D'] }, ...lossInputs },
    weights: new Map(),
    build: (ops, { queries, documents, target, bias, scale }) => ({
      loss: ops.sum(contrastiveLoss(ops, queries, documents, target, scale, bias)),
    }),
  };
}

/**
 * The mean loss of a batch. The texts of one run, in `groups` groups, and where they are not the whole of it the embeddings
 * of the `others` [O,D] stand under each other; queries and documents are picked out of them.
 */
export function batchProgram(model: TrainedModel, groups: number, isWhole: boolean): Program<string, 'loss'> {
  return {
    inputs: {
      ...modelInputs(model, groups),
      ...(isWhole ? {} : { others: { type: 'float32', shape: ['O', model.checkpoint.config.hiddenSize] } }),
      queryRows: { type: 'int64', shape: ['Q'] },
      documentRows: { type: 'int64', shape: ['C'] },
      ...lossInputs,
    },
    weights: model.checkpoint.quantized ?? model.checkpoint.tensors,
    build: (ops, inputs, weight) => {
      const own = embeddingsOf(ops, model, inputs, weight, groups);
      const all = isWhole ? own : ops.concat([own, inputs.others!], 0); // [N,D]
      const [queries, documents] = [ops.embedding(all, inputs.queryRows!), ops.embedding(all, inputs.documentRows!)];
      return { loss: ops.sum(contrastiveLoss(ops, queries, documents, inputs.target!, inputs.scale!, inputs.bias)) };
    },
  };
}

function modelInputs(model: TrainedModel, groups: number): Record<string, InputSpec> {
  const modules = modulesOf(model);
  const inputs = { ...loraInputs(modules, model.lora.rank), ...textInputs(model.checkpoint.config, model.attention, groups) };
  return model.lora.dropout > 0 ? { ...inputs, maskRows: { type: 'int64', shape: [1, 'T'] }, ...maskInputs(modules) } : inputs;
}

/** [N,D] */
function embeddingsOf<T>(
  ops: Ops<T>,
  model: TrainedModel,
  inputs: Readonly<Record<string, T>>,
  weight: (name: string) => T,
  groups: number,
): T {
  const { checkpoint, layers, lora, precision } = model;
  const prefix = findPrefix(checkpoint.tensors);
  const droppedAt = new Map<string, T>();
  const dropped = (site: string, x: T): T => {
    const known = droppedAt.get(site);
    if (known !== undefined) return known;
    const masks = ops.embedding(inputs[maskName(site)]!, inputs.maskRows!); // [1,T,in]
    const result = ops.mul(x, masks);
    droppedAt.set(site, result);
    return result;
  };
  const adapt = loraAdapt(ops, modulesOf(model), lora, (name) => inputs[name]!, {
    ...(lora.dropout > 0 && { dropped }),
    ...(precision === 'int8' && { frozen: (x: T, matrix: T) => ops.roundedLinear(x, matrix) }),
  });
  const [pooled] = pooledLayers(ops, checkpoint.config, inputs, (name) => weight(prefix + name), { layers, output: 'last', adapt, groups });
  return ops.reshape(pooled!, [0, -1]);
}
