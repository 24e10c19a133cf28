import type { InputSpec, Ops, TensorData } from '../engine/ops.ts';
import type { DecoderConfig } from '../models/types.ts';
import { poolingWeights } from './pooling.ts';
import type { EncoderText } from './prompt.ts';
import { rotaryTables } from './rope.ts';
import type { Attention, EncoderSettings } from './settings.ts';
import { decoderLayers, finalNorm, type Adapt } from './transformer.ts';

/** Added to the score of a token that must not be seen; its weight underflows to an exact 0. */
const hidden = -1e30;

const groupInputs = ['slots', 'attentionBias', 'pooling'] as const;
/** The input of one group of texts: those that are padded to one length, for attention alone. */
const ofGroup = (input: (typeof groupInputs)[number], group: number): string => `${input}.${group}`;

/** The inputs of a program that reads texts in so many groups. */
export function textInputs({ headDim }: DecoderConfig, attention: Attention, groups = 1): Record<string, InputSpec> {
  const inputs: Record<string, InputSpec> = {
    inputIds: { type: 'int64', shape: [1, 'T'] },
    places: { type: 'int64', shape: ['T'] },
    cos: { type: 'float32', shape: ['T', headDim / 2] },
    sin: { type: 'float32', shape: ['T', headDim / 2] },
  };
  for (let group = 0; group < groups; group++) {
    const [B, S] = [`B${group}`, `S${group}`];
    inputs[ofGroup('slots', group)] = { type: 'int64', shape: [B, S] };
    inputs[ofGroup('attentionBias', group)] = { type: 'float32', shape: attention === 'causal' ? [1, 1, 1, S, S] : [B, 1, 1, 1, S] };
    inputs[ofGroup('pooling', group)] = { type: 'float32', shape: [B, 1, S] };
  }
  return inputs;
}

/**
 * What those inputs are for these groups of texts. The tokens of all texts stand after each other, [T]; where a group has
 * texts of several lengths one token more stands in for all padding.
 */
export function textFeeds(
  config: DecoderConfig,
  { attention, pooling }: Pick<EncoderSettings, 'attention' | 'pooling'>,
  groups: readonly (readonly EncoderText[])[],
): Record<string, TensorData> {
  const real = countTokens(groups.flat());
  const slotCounts = groups.map((texts) => texts.length * longestOf(texts));
  const isPadded = slotCounts.reduce((sum, count) => sum + count, 0) > real;
  const tokens = real + (isPadded ? 1 : 0);
  const ids = new BigInt64Array(tokens);
  const places = new BigInt64Array(tokens);
  const positions = new Int32Array(tokens);

  const feeds: Record<string, TensorData> = {};
  let token = 0;
  let before = 0;
  groups.forEach((texts, group) => {
    const length = longestOf(texts);
    const slots = new BigInt64Array(slotCounts[group]!).fill(BigInt(real));
    const weights = new Float32Array(slots.length);
    texts.forEach(({ ids: own, pooled }, row) => {
      poolingWeights(pooled, pooling, weights, row * length);
      if (own.length < length) places[real] = BigInt(before + row * length + own.length);
      own.forEach((id, position) => {
        const slot = row * length + position;
        ids[token] = BigInt(id);
        positions[token] = position;
        places[token] = BigInt(before + slot);
        slots[slot] = BigInt(token++);
      });
    });
    before += slots.length;
    feeds[ofGroup('slots', group)] = { type: 'int64', data: slots, shape: [texts.length, length] };
    feeds[ofGroup('attentionBias', group)] = attention === 'causal' ? causalBias(length) : paddingBias(texts, length);
    feeds[ofGroup('pooling', group)] = { type: 'float32', data: weights, shape: [texts.length, 1, length] };
  });
  const { cos, sin } = rotaryTables(config, positions);
  const rotary = [tokens, config.headDim / 2];
  return {
    ...feeds,
    inputIds: { type: 'int64', data: ids, shape: [1, tokens] },
    places: { type: 'int64', data: places, shape: [tokens] },
    cos: { type: 'float32', data: cos, shape: rotary },
    sin: { type: 'float32', data: sin, shape: rotary },
  };
}

/**
 * The layers, the shared final norm, and pooling as a matrix product: [N,1,D], the texts of all groups after each other,
 * for the last of `layers` or one for each. `weight` gives a tensor by its name without the checkpoint's prefix.
 */
export function pooledLayers<T>(
  ops: Ops<T>,
  config: DecoderConfig,
  inputs: Readonly<Record<string, T>>,
  weight: (name: string) => T,
  { layers, output, adapt, groups = 1 }: { readonly layers: number; readonly output: 'last' | 'every'; readonly adapt?: Adapt<T> | undefined; readonly groups?: number },
): T[] {
  const own = (input: (typeof groupInputs)[number]): T[] => Array.from({ length: groups }, (_, group) => inputs[ofGroup(input, group)]!);
  const [slots, biases, poolings] = groupInputs.map(own) as [T[], T[], T[]];
  const { inputIds, cos, sin, places } = inputs as Record<'inputIds' | 'cos' | 'sin' | 'places', T>;
  const stack = decoderLayers(ops, config, { inputIds, cos, sin, layout: { slots, places }, attentionBiases: biases }, weight, layers, adapt);
  const wanted = output === 'every' ? stack : stack.slice(-1);
  return wanted.map((layer) => {
    const rows = ops.reshape(finalNorm(ops, config, layer, weight), [-1, config.hiddenSize]); // [T,D]
    const pooled = ops.spread(rows, slots, places).map((part, group) => ops.matmul(poolings[group]!, part));
    return pooled.length === 1 ? pooled[0]! : ops.concat(pooled, 0);
  });
}

function longestOf(texts: readonly EncoderText[]): number {
  return Math.max(...texts.map(({ ids }) => ids.length));
}

function countTokens(texts: readonly EncoderText[]): number {
  return texts.reduce((sum, { ids }) => sum + ids.length, 0);
}

/** [1,1,1,S,S]: a token sees itself and those before it. Padding stands on the right, where no real token looks. */
function causalBias(length: number): TensorData {
  const data = new Float32Array(length * length);
  for (let row = 0; row < length; row++) data.fill(hidden, row * length + row + 1, (row + 1) * length);
  return { type: 'float32', data, shape: [1, 1, 1, length, length] };
}

/** [B,1,1,1,S]: every token sees every real one. */
function paddingBias(batch: readonly EncoderText[], length: number): TensorData {
  const data = new Float32Array(batch.length * length);
  batch.forEach((text, row) => data.fill(hidden, row * length + text.ids.length, (row + 1) * length));
  return { type: 'float32', data, shape: [batch.length, 1, 1, 1, length] };
}
