import { z } from 'zod';
import { errors } from '../errors.ts';
import { HARMLESS_KEYS, NEUTRAL_VALUES, REFUSALS } from './config-keys.ts';
import { parseRope } from './config-rope.ts';
import type { DecoderConfig, StoredTensor } from './types.ts';

/** A family's own rules beside the shared ones. */
interface FamilyRules {
  /** What transformers takes where config.json is silent. */
  readonly defaults: { readonly rmsNormEpsilon: number; readonly ropeTheta: number; readonly maxPositions: number };
  readonly activation: string;
}

const FAMILIES = {
  llama: { defaults: { rmsNormEpsilon: 1e-6, ropeTheta: 10_000, maxPositions: 2048 }, activation: 'silu' },
} as const satisfies Record<DecoderConfig['family'], FamilyRules>;

/** Sizes that no model reaches, so that products of them stay exact. */
const MAX_LAYERS = 1000;
const MAX_HEADS = 4096;
const MAX_SIZE = 2 ** 31;

const size = z.int().positive().max(MAX_SIZE);
const count = z.int().positive().max(MAX_HEADS);

/** The keys that we implement, rope apart. */
const Shape = z.object({
  vocab_size: size,
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: z.int().positive().max(MAX_LAYERS),
  num_attention_heads: count,
  num_key_value_heads: count.nullish(),
  head_dim: z.int().positive().max(65_536).nullish(),
  rms_norm_eps: z.number().positive().max(1).nullish(),
  max_position_embeddings: size.nullish(),
  hidden_act: z.string().nullish(),
  attention_bias: z.boolean().nullish(),
  mlp_bias: z.boolean().nullish(),
});
const ROPE_KEYS = ['rope_theta', 'rope_scaling', 'rope_parameters'];

/**
 * Reads a config.json of either style (`rope_theta` and `rope_scaling`, or `rope_parameters`). Every key is
 * implemented, known to be harmless, or neutral; any other is refused rather than ignored.
 * `file` names it in messages. Throws `BAD_CONFIG` or `UNSUPPORTED`.
 */
export function parseConfig(json: unknown, file: string): DecoderConfig {
  const raw = z.record(z.string(), z.unknown()).safeParse(json);
  if (!raw.success) throw errors.badConfig(`${file} is not a JSON object.`);
  const family = parseFamily(raw.data.model_type, file);
  const rules = FAMILIES[family];
  for (const [key, value] of Object.entries(raw.data)) checkKey(key, value, file);

  const parsed = Shape.safeParse(raw.data);
  if (!parsed.success) throw errors.badConfig(`${file}: ${describeIssue(parsed.error)}.`);
  const shape = parsed.data;
  const activation = shape.hidden_act ?? rules.activation;
  if (activation !== rules.activation)
    throw errors.unsupported(`${file}: hidden_act ${JSON.stringify(activation)} is not implemented for ${family}.`);

  const heads = shape.num_attention_heads;
  const keyValueHeads = shape.num_key_value_heads ?? heads;
  if (heads % keyValueHeads !== 0)
    throw errors.badConfig(`${file}: ${heads} attention heads cannot share ${keyValueHeads} key and value heads.`);
  const headDim = shape.head_dim ?? shape.hidden_size / heads;
  if (!Number.isInteger(headDim) || headDim % 2 !== 0)
    throw errors.badConfig(`${file}: a head of ${headDim} dimensions cannot be rotated in pairs.`);

  return {
    family,
    vocabSize: shape.vocab_size,
    hiddenSize: shape.hidden_size,
    intermediateSize: shape.intermediate_size,
    numHiddenLayers: shape.num_hidden_layers,
    numAttentionHeads: heads,
    numKeyValueHeads: keyValueHeads,
    headDim,
    rmsNormEpsilon: shape.rms_norm_eps ?? rules.defaults.rmsNormEpsilon,
    ...parseRope(raw.data, rules.defaults.ropeTheta, file),
    maxPositionEmbeddings: shape.max_position_embeddings ?? rules.defaults.maxPositions,
    attentionBias: shape.attention_bias ?? false,
    mlpBias: shape.mlp_bias ?? false,
    raw: raw.data,
  };
}

function parseFamily(modelType: unknown, file: string): DecoderConfig['family'] {
  if (typeof modelType !== 'string') throw errors.badConfig(`${file} has no model_type: it is not a model's config.json.`);
  if (Object.hasOwn(FAMILIES, modelType)) return modelType as DecoderConfig['family'];
  throw errors.unsupported(
    `${file}: models of type ${JSON.stringify(modelType.slice(0, 100))} are not supported; these are: ${Object.keys(FAMILIES).join(', ')}.`,
  );
}

function checkKey(key: string, value: unknown, file: string): void {
  if (Object.hasOwn(Shape.shape, key) || ROPE_KEYS.includes(key) || HARMLESS_KEYS.has(key) || key.startsWith('_')) return;
  if (Object.hasOwn(NEUTRAL_VALUES, key) && (value === null || NEUTRAL_VALUES[key]!(value))) return;
  const why = (Object.hasOwn(REFUSALS, key) ? REFUSALS[key] : undefined) ?? 'it may change what the model computes and is not implemented';
  const shown = JSON.stringify(value) ?? 'undefined';
  throw errors.unsupported(`${file}: ${key.slice(0, 100)} is ${shown.length > 80 ? `${shown.slice(0, 80)}…` : shown}: ${why}.`);
}

/** The first of zod's complaints, as a clause. */
function describeIssue(error: z.ZodError): string {
  const issue = error.issues[0]!;
  if (issue.message.endsWith('received undefined')) return `${issue.path.join('.')} is missing`;
  const clause = issue.message.replace(/^Invalid input: /, '').replace(/^Too (big|small): /, 'too $1: ');
  return `${issue.path.join('.')} is wrong (${clause})`;
}

/** Names and shapes of the tensors that a decoder of this config reads, without the file's prefix. Shapes are [out, in]. */
export function* decoderTensors(config: DecoderConfig): Generator<{ name: string; shape: readonly number[] }> {
  const { hiddenSize: d, intermediateSize: f, headDim } = config;
  const q = config.numAttentionHeads * headDim;
  const kv = config.numKeyValueHeads * headDim;
  const projections = [
    ['self_attn.q_proj', q, d, config.attentionBias],
    ['self_attn.k_proj', kv, d, config.attentionBias],
    ['self_attn.v_proj', kv, d, config.attentionBias],
    ['self_attn.o_proj', d, q, config.attentionBias],
    ['mlp.gate_proj', f, d, config.mlpBias],
    ['mlp.up_proj', f, d, config.mlpBias],
    ['mlp.down_proj', d, f, config.mlpBias],
  ] as const;
  yield { name: 'embed_tokens.weight', shape: [config.vocabSize, d] };
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    yield { name: `layers.${layer}.input_layernorm.weight`, shape: [d] };
    for (const [part, rows, columns, bias] of projections) {
      yield { name: `layers.${layer}.${part}.weight`, shape: [rows, columns] };
      if (bias) yield { name: `layers.${layer}.${part}.bias`, shape: [rows] };
    }
    yield { name: `layers.${layer}.post_attention_layernorm.weight`, shape: [d] };
  }
  yield { name: 'norm.weight', shape: [d] };
}

/** What stands before the names of `decoderTensors` in this file: `model.` or nothing. Throws `BAD_MODEL_FILE`. */
export function findPrefix(tensors: ReadonlyMap<string, unknown>): string {
  const prefix = ['model.', ''].find((candidate) => tensors.has(`${candidate}embed_tokens.weight`));
  if (prefix !== undefined) return prefix;
  throw errors.badModelFile('The weights hold no embed_tokens.weight: this is not a decoder model, or a part of one is missing.');
}

/**
 * Checks that every tensor the decoder needs is there, of the right shape and of a type that we read. `otherTypes` are
 * the tensors whose type is not one of those. Throws `BAD_MODEL_FILE`, `BAD_CONFIG` or `UNSUPPORTED`.
 */
export function checkTensors(
  config: DecoderConfig,
  tensors: ReadonlyMap<string, StoredTensor>,
  otherTypes: ReadonlyMap<string, string> = new Map(),
): void {
  const prefix = findPrefix(new Map<string, unknown>([...tensors, ...otherTypes]));
  for (const expected of decoderTensors(config)) {
    const name = prefix + expected.name;
    const type = otherTypes.get(name);
    if (type !== undefined)
      throw errors.unsupported(`Tensor ${name} is stored as ${type}: use the model in float32, float16 or bfloat16.`);
    const tensor = tensors.get(name);
    if (!tensor) throw errors.badModelFile(`Tensor ${name}, which config.json asks for, is missing from the weights.`);
    if (tensor.shape.length !== expected.shape.length || tensor.shape.some((n, axis) => n !== expected.shape[axis]))
      throw errors.badConfig(
        `Tensor ${name} has the shape [${tensor.shape.join(', ')}] and config.json asks for [${expected.shape.join(', ')}].`,
      );
  }
}
