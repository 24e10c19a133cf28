import type { Ops } from '../engine/ops.ts';
import type { DecoderConfig } from '../models/types.ts';
import { families } from './family.ts';

/**
 * The tensors a run decides. Everything but attention works on the T tokens of all texts after each other, so that nothing
 * is computed on padding; attention lays them out as groups of B texts padded on the right to S tokens.
 */
export interface DecoderInputs<T> {
  /** [1,T] */
  readonly inputIds: T;
  /** [T,headDim/2] */
  readonly cos: T;
  readonly sin: T;
  /** Where the tokens stand in the groups: see `Ops.spread`. */
  readonly layout: { readonly slots: readonly T[]; readonly places: T };
  /** Of each group, what is added to its scores: 0 where a token sees another, a large negative number elsewhere; broadcasts to [B,1,1,S,S]. */
  readonly attentionBiases: readonly T[];
}

/** A projection with its adapter: x [1,T,in] and the weight of the module of this name give [1,T,out]; undefined where it has none. */
export type Adapt<T> = (module: string, x: T, weight: T) => T | undefined;

/**
 * The decoder, written once: the raw output of each of the first `layers` layers, [1,T,D] each, before the final norm.
 * `weight` gives a tensor by its name without the checkpoint's prefix.
 */
export function decoderLayers<T>(
  ops: Ops<T>,
  config: DecoderConfig,
  { inputIds, cos, sin, layout: { slots, places }, attentionBiases }: DecoderInputs<T>,
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

  // [T,kvHeads*group*d] as [B,KV,group,S,d] for each group of texts
  const byHead = (t: T, group: number): T[] =>
    ops
      .spread(ops.reshape(t, [-1, kvHeads * group * headDim]), slots, places)
      .map((part) => ops.transpose(ops.reshape(part, [0, 0, kvHeads, group, headDim]), [0, 2, 3, 1, 4]));

  // softmax(q kᵀ / sqrt(d) + bias) v, each key head shared by G = H / KV query heads
  const attend = (q: T, k: T, v: T, bias: T): T => {
    // The query heads of a group stand under each other, so that each key head is one matrix product.
    const queries = ops.reshape(q, [0, 0, 1, -1, headDim]); // [B,KV,1,G*S,d]
    const scores = ops.matmul(queries, k, { transposeB: true, alpha: 1 / Math.sqrt(headDim) }); // [B,KV,1,G*S,S]
    const weights = ops.softmax(ops.add(ops.reshape(scores, [0, 0, groups, -1, 0]), bias)); // [B,KV,G,S,S]
    const mixed = ops.matmul(ops.reshape(weights, [0, 0, 1, -1, 0]), v); // [B,KV,1,G*S,d]
    const byGroup = ops.reshape(mixed, [0, 0, groups, -1, headDim]); // [B,KV,G,S,d]
    return ops.reshape(ops.transpose(byGroup, [0, 3, 1, 2, 4]), [0, 0, heads * headDim]); // [B,S,H*d]
  };

  const outputs: T[] = [];
  let hidden = ops.embedding(weight(family.embedding), inputIds); // [1,T,D]
  for (let index = 0; index < layers; index++) {
    const names = family.layer(index);

    const x = ops.rmsNorm(hidden, weight(names.attentionNorm), rmsNormEpsilon); // [1,T,D]
    const q = byHead(ops.rotary(project(x, names.query, config.attentionBias), cos, sin, heads), groups);
    const k = byHead(ops.rotary(project(x, names.key, config.attentionBias), cos, sin, kvHeads), 1);
    const v = byHead(project(x, names.value, config.attentionBias), 1);
    const parts = attentionBiases.map((bias, i) => attend(q[i]!, k[i]!, v[i]!, bias));
    const joined = ops.reshape(ops.join(parts, slots, places), [1, -1, heads * headDim]); // [1,T,H*d]
    hidden = ops.add(hidden, project(joined, names.attentionOutput, config.attentionBias));

    // SwiGLU: down(silu(gate x) * up x)
    const y = ops.rmsNorm(hidden, weight(names.mlpNorm), rmsNormEpsilon);
    const gated = ops.mul(ops.silu(project(y, names.gate, config.mlpBias)), project(y, names.up, config.mlpBias)); // [1,T,F]
    hidden = ops.add(hidden, project(gated, names.down, config.mlpBias)); // [1,T,D]
    outputs.push(hidden);
  }
  return outputs;
}

/** The final norm that every depth shares: what a model cut at this layer would output. */
export function finalNorm<T>(ops: Ops<T>, config: DecoderConfig, hidden: T, weight: (name: string) => T): T {
  return ops.rmsNorm(hidden, weight(families[config.family].finalNorm), config.rmsNormEpsilon);
}
