import type { Program } from '../engine/engine.ts';
import type { InputSpec, Ops } from '../engine/ops.ts';
import { contrastiveLoss } from '../encoder/loss.ts';
import type { Attention } from '../encoder/settings.ts';
import { pooledLayers, textInputs, type TextInput } from '../encoder/texts.ts';
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
}

/** The input of one group of texts: texts of similar length go through the model together. */
export const groupInput = (group: number, input: TextInput | 'maskRows'): string => `${input}.${group}`;

export const modulesOf = ({ checkpoint, layers, lora }: TrainedModel): LoraModule[] =>
  loraModules(checkpoint.config, layers, lora.targets);

/** Embeddings of one group, [B,D]: the first pass of gradient caching. */
export function embeddingProgram(model: TrainedModel): Program<string, 'embeddings'> {
  return {
    inputs: modelInputs(model, 1),
    weights: model.checkpoint.tensors,
    build: (ops, inputs, weight) => ({ embeddings: groupEmbeddings(ops, model, inputs, weight, 0) }),
  };
}

/**
 * sum(embeddings · cached): its gradient by the adapter is what the gradient by the embeddings, `cached` [B,D], brings to
 * this group: the second pass of gradient caching.
 */
export function surrogateProgram(model: TrainedModel): Program<string, 'loss'> {
  return {
    inputs: { ...modelInputs(model, 1), cached: { type: 'float32', shape: ['B0', model.checkpoint.config.hiddenSize] } },
    weights: model.checkpoint.tensors,
    build: (ops, inputs, weight) => ({
      loss: ops.sum(ops.sum(ops.mul(groupEmbeddings(ops, model, inputs, weight, 0), inputs.cached!))),
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
 * A whole batch in one run: its texts in `groups` groups, their embeddings under each other [N,D], queries and documents
 * picked out of them by 0-1 matrices, the mean loss.
 */
export function batchProgram(model: TrainedModel, groups: number): Program<string, 'loss'> {
  const N = Array.from({ length: groups }, (_, group) => `B${group}`).join('+');
  return {
    inputs: {
      ...modelInputs(model, groups),
      pickQueries: { type: 'float32', shape: ['Q', N] },
      pickDocuments: { type: 'float32', shape: ['C', N] },
      ...lossInputs,
    },
    weights: model.checkpoint.tensors,
    build: (ops, inputs, weight) => {
      const parts = Array.from({ length: groups }, (_, group) => groupEmbeddings(ops, model, inputs, weight, group));
      const all = parts.length === 1 ? parts[0]! : ops.concat(parts, 0); // [N,D]
      const [queries, documents] = [ops.matmul(inputs.pickQueries!, all), ops.matmul(inputs.pickDocuments!, all)];
      return { loss: ops.sum(contrastiveLoss(ops, queries, documents, inputs.target!, inputs.scale!, inputs.bias)) };
    },
  };
}

function modelInputs(model: TrainedModel, groups: number): Record<string, InputSpec> {
  const inputs: Record<string, InputSpec> = loraInputs(modulesOf(model), model.lora.rank);
  for (let group = 0; group < groups; group++) {
    const [B, S] = [`B${group}`, `S${group}`];
    for (const [name, spec] of Object.entries(textInputs(model.checkpoint.config, model.attention, B, S))) inputs[groupInput(group, name as TextInput)] = spec;
    if (model.lora.dropout > 0) inputs[groupInput(group, 'maskRows')] = { type: 'int64', shape: [B, S] };
  }
  return model.lora.dropout > 0 ? { ...inputs, ...maskInputs(modulesOf(model)) } : inputs;
}

/** [B,D] */
function groupEmbeddings<T>(
  ops: Ops<T>,
  model: TrainedModel,
  inputs: Readonly<Record<string, T>>,
  weight: (name: string) => T,
  group: number,
): T {
  const { checkpoint, layers, lora } = model;
  const prefix = findPrefix(checkpoint.tensors);
  const own = (name: TextInput): T => inputs[groupInput(group, name)]!;
  const droppedAt = new Map<string, T>();
  const dropped = (site: string, x: T): T => {
    const known = droppedAt.get(site);
    if (known !== undefined) return known;
    const masks = ops.embedding(inputs[maskName(site)]!, inputs[groupInput(group, 'maskRows')]!); // [B,S,in]
    const result = ops.mul(x, masks);
    droppedAt.set(site, result);
    return result;
  };
  const adapt = loraAdapt(ops, modulesOf(model), lora, (name) => inputs[name]!, lora.dropout > 0 ? dropped : undefined);
  const texts = { inputIds: own('inputIds'), attentionBias: own('attentionBias'), cos: own('cos'), sin: own('sin'), pooling: own('pooling') };
  const [pooled] = pooledLayers(ops, checkpoint.config, texts, (name) => weight(prefix + name), { layers, output: 'last', adapt });
  return ops.reshape(pooled!, [0, -1]);
}
