import type { InputSpec, Ops, TensorData } from '../engine/ops.ts';
import type { DecoderConfig } from '../models/types.ts';
import { poolingWeights } from './pooling.ts';
import type { EncoderText } from './prompt.ts';
import { rotaryTables } from './rope.ts';
import type { Attention, EncoderSettings } from './settings.ts';
import { decoderLayers, finalNorm, type Adapt, type DecoderInputs } from './transformer.ts';

/** What a program is fed of B texts padded on the right to S tokens. */
export type TextInput = keyof DecoderInputs<unknown> | 'pooling';

/** Added to the score of a token that must not be seen; its weight underflows to an exact 0. */
const hidden = -1e30;

/** The inputs of a program that reads texts. `B` and `S` are the names of the axes: one pair a group of texts. */
export function textInputs({ headDim }: DecoderConfig, attention: Attention, B = 'B', S = 'S'): Record<TextInput, InputSpec> {
  return {
    inputIds: { type: 'int64', shape: [B, S] },
    attentionBias: { type: 'float32', shape: attention === 'causal' ? [1, 1, 1, S, S] : [B, 1, 1, 1, S] },
    cos: { type: 'float32', shape: [S, headDim / 2] },
    sin: { type: 'float32', shape: [S, headDim / 2] },
    pooling: { type: 'float32', shape: [B, 1, S] },
  };
}

/** What those inputs are for these texts; all are padded to the longest. */
export function textFeeds(
  config: DecoderConfig,
  { attention, pooling: mode }: Pick<EncoderSettings, 'attention' | 'pooling'>,
  batch: readonly EncoderText[],
): Record<TextInput, TensorData> {
  const rows = batch.length;
  const length = Math.max(...batch.map((text) => text.ids.length));
  const ids = new BigInt64Array(rows * length);
  const pooling = new Float32Array(rows * length);
  batch.forEach((text, row) => {
    text.ids.forEach((id, i) => (ids[row * length + i] = BigInt(id)));
    poolingWeights(text.pooled, mode, pooling, row * length);
  });
  const { cos, sin } = rotaryTables(config, length);
  const rotary = [length, config.headDim / 2];
  return {
    inputIds: { type: 'int64', data: ids, shape: [rows, length] },
    attentionBias: attention === 'causal' ? causalBias(length) : paddingBias(batch, length),
    cos: { type: 'float32', data: cos, shape: rotary },
    sin: { type: 'float32', data: sin, shape: rotary },
    pooling: { type: 'float32', data: pooling, shape: [rows, 1, length] },
  };
}

/**
 * The layers, the shared final norm, and pooling as a matrix product: [B,1,D] for the last of `layers` or one for each.
 * `weight` gives a tensor by its name without the checkpoint's prefix.
 */
export function pooledLayers<T>(
  ops: Ops<T>,
  config: DecoderConfig,
  inputs: Readonly<Record<TextInput, T>>,
  weight: (name: string) => T,
  { layers, output, adapt }: { readonly layers: number; readonly output: 'last' | 'every'; readonly adapt?: Adapt<T> | undefined },
): T[] {
  const stack = decoderLayers(ops, config, inputs, weight, layers, adapt);
  const wanted = output === 'every' ? stack : stack.slice(-1);
  return wanted.map((layer) => ops.matmul(inputs.pooling, finalNorm(ops, config, layer, weight)));
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
