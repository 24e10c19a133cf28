import type { Ops } from '../engine/ops.ts';
import type { DecoderConfig } from '../models/types.ts';
import { families } from './family.ts';

/** The tensors a run decides: B texts padded on the right to S tokens. */
export interface DecoderInputs<T> {
  /** [B,S], any id where a text has ended. */
  readonly inputIds: T;
  /** What is added to the attention scores: 0 where a token sees another, a large negative number elsewhere; broadcasts to [B,1,1,S,S]. */
  readonly attentionBias: T;
  /** [S, headDim/2] */
  readonly cos: T;
  readonly sin: T;
}

/** A projection with its adapter: x [B,S,in] and the weight of the module of this name give [B,S,out]; undefined where it has none. */
export type Adapt<T> = (module: string, x: T, weight: T) => T | undefined;

/**
 * The decoder, written once: the raw output of each of the first `layers` layers, [B,S,D] each, before the final norm.
 * `weight` gives a tensor by its name without the checkpoint's prefix.
 */
export function decoderLayers<T>(
  ops: Ops<T>,
  config: DecoderConfig,
  inputs: DecoderInputs<T>,
  weight: (name: string) => T,
  layers: number,
  adapt?: Adapt<T>,
): T[] {
  const family = families[config.family];
  const { numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim, rmsNormEpsilon } = config;
  const groups = heads / kvHeads;
  const project = (x: T, name: string, biased: boolean): T => {
    const matrix = weight(`${name}.weight`);
    const y = adapt?.(name, x, matrix) ?? ops.linear(x, matrix);
    return biased ? ops.add(y, weight(`${name}.bias`)) : y;
  };

  const outputs: T[] = [];
  let hidden = ops.embedding(weight(family.embedding), inputs.inputIds); // [B,S,D]
  for (let index = 0; index < layers; index++) {
    const names = family.layer(index);

    // softmax(q kᵀ / sqrt(d) + bias) v, each key head shared by G = H / KV query heads
    const x = ops.rmsNorm(hidden, weight(names.attentionNorm), rmsNormEpsilon); // [B,S,D]
    const q = ops.rotary(project(x, names.query, config.attentionBias), inputs.cos, inputs.sin, heads); // [B,S,H*d]
    const k = ops.rotary(project(x, names.key, config.attentionBias), inputs.cos, inputs.sin, kvHeads); // [B,S,KV*d]
    const v = project(x, names.value, config.attentionBias); // [B,S,KV*d]
    const byHead = (t: T, group: number): T =>
      ops.transpose(ops.reshape(t, [0, 0, kvHeads, group, headDim]), [0, 2, 3, 1, 4]); // [B,KV,group,S,d]
    // The query heads of a group stand under each other, so that each key head is one matrix product.
    const queries = ops.reshape(byHead(q, groups), [0, 0, 1, -1, headDim]); // [B,KV,1,G*S,d]
    const scores = ops.matmul(queries, byHead(k, 1), { transposeB: true, alpha: 1 / Math.sqrt(headDim) }); // [B,KV,1,G*S,S]
    const weights = ops.softmax(ops.add(ops.reshape(scores, [0, 0, groups, -1, 0]), inputs.attentionBias)); // [B,KV,G,S,S]
    const mixed = ops.matmul(ops.reshape(weights, [0, 0, 1, -1, 0]), byHead(v, 1)); // [B,KV,1,G*S,d]
    const byGroup = ops.reshape(mixed, [0, 0, groups, -1, headDim]); // [B,KV,G,S,d]
    const joined = ops.reshape(ops.transpose(byGroup, [0, 3, 1, 2, 4]), [0, 0, heads * headDim]); // [B,S,H*d]
    hidden = ops.add(hidden, project(joined, names.attentionOutput, config.attentionBias));

    // SwiGLU: down(silu(gate x) * up x)
    const y = ops.rmsNorm(hidden, weight(names.mlpNorm), rmsNormEpsilon);
    const gated = ops.mul(ops.silu(project(y, names.gate, config.mlpBias)), project(y, names.up, config.mlpBias)); // [B,S,F]
    hidden = ops.add(hidden, project(gated, names.down, config.mlpBias)); // [B,S,D]
    outputs.push(hidden);
  }
  return outputs;
}

/** The final norm that every depth shares: what a model cut at this layer would output. */
export function finalNorm<T>(ops: Ops<T>, config: DecoderConfig, hidden: T, weight: (name: string) => T): T {
  return ops.rmsNorm(hidden, weight(families[config.family].finalNorm), config.rmsNormEpsilon);
}
