import { errors } from '../errors.ts';
import type { GgufHeader } from './gguf-header.ts';

/** Keys under `llama.` that we read, or that say nothing about hidden states. */
const KNOWN_KEYS: ReadonlySet<string> = new Set([
  'block_count',
  'context_length',
  'embedding_length',
  'feed_forward_length',
  'vocab_size',
  'attention.head_count',
  'attention.head_count_kv',
  'attention.key_length',
  'attention.value_length',
  'attention.layer_norm_rms_epsilon',
  'rope.dimension_count',
  'rope.freq_base',
  'rope.scale_linear',
  'rope.scaling.type',
  'rope.scaling.factor',
  'rope.scaling.original_context_length',
  'rope.scaling.finetuned',
  'tensor_data_layout',
]);

/** Keys under `llama.` that are accepted while they say what is so anyway. */
const NEUTRAL_VALUES: Readonly<Record<string, unknown>> = {
  'attention.causal': true,
  expert_count: 0,
  expert_used_count: 0,
  logit_scale: 1,
  embedding_scale: 1,
  residual_scale: 1,
  'rope.scaling.attn_factor': 1,
};

/** A llama GGUF file's settings as a config.json, float32 and in transformers' names. Throws `BAD_MODEL_FILE` or `UNSUPPORTED`. */
export function ggufConfig(header: GgufHeader, ropeFactors: Float32Array | undefined): Record<string, unknown> {
  const { metadata, tensors, file } = header;
  const architecture = metadata.get('general.architecture');
  if (architecture !== 'llama')
    throw errors.unsupported(
      `${file} holds a model of the architecture ${JSON.stringify(architecture)?.slice(0, 100) ?? 'unknown'}; of GGUF files these are supported: llama.`,
    );
  checkKeys(header);

  const heads = integer(header, 'attention.head_count');
  const hiddenSize = integer(header, 'embedding_length');
  const headDim = integer(header, 'attention.key_length', hiddenSize / heads);
  for (const key of ['attention.value_length', 'rope.dimension_count'])
    if (integer(header, key, headDim) !== headDim)
      throw errors.unsupported(`${file}: llama.${key} differs from the ${headDim} dimensions of a head, which is not implemented.`);
  const freqBase = real(header, 'rope.freq_base', 10_000);
  const embedding = tensors.get('token_embd.weight');
  if (!embedding) throw errors.badModelFile(`${file} has no tensor token_embd.weight.`);
  const tokenId = (name: string): number | null => {
    const id = metadata.get(`tokenizer.ggml.${name}_token_id`);
    return typeof id === 'number' ? id : null;
  };
  return {
    architectures: ['LlamaForCausalLM'],
    attention_bias: tensors.has('blk.0.attn_q.bias'),
    attention_dropout: 0,
    bos_token_id: tokenId('bos'),
    eos_token_id: tokenId('eos'),
    head_dim: headDim,
    hidden_act: 'silu',
    hidden_size: hiddenSize,
    initializer_range: 0.02,
    intermediate_size: integer(header, 'feed_forward_length'),
    max_position_embeddings: integer(header, 'context_length'),
    mlp_bias: tensors.has('blk.0.ffn_gate.bias'),
    model_type: 'llama',
    num_attention_heads: heads,
    num_hidden_layers: integer(header, 'block_count'),
    num_key_value_heads: integer(header, 'attention.head_count_kv', heads),
    pad_token_id: tokenId('padding'),
    pretraining_tp: 1,
    rms_norm_eps: real(header, 'attention.layer_norm_rms_epsilon'),
    rope_scaling: ropeScaling(header, ropeFactors, headDim, freqBase),
    rope_theta: freqBase,
    tie_word_embeddings: !tensors.has('output.weight'),
    torch_dtype: 'float32',
    use_cache: true,
    vocab_size: embedding.shape[0],
  };
}

function checkKeys({ metadata, file }: GgufHeader): void {
  for (const [key, value] of metadata) {
    if (!key.startsWith('llama.')) continue;
    const name = key.slice('llama.'.length);
    if (KNOWN_KEYS.has(name)) continue;
    if (Object.hasOwn(NEUTRAL_VALUES, name) && value === NEUTRAL_VALUES[name]) continue;
    const shown = Array.isArray(value) ? 'a list' : String(value).slice(0, 80);
    throw errors.unsupported(
      `${file}: ${key.slice(0, 100)} is ${shown}: it may change what the model computes and is not implemented.`,
    );
  }
}

/** A whole number of the metadata; a list of equal ones (one a layer) counts as that one. */
function integer(header: GgufHeader, key: string, fallback?: number): number {
  const value = real(header, key, fallback);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw errors.badModelFile(`${header.file}: llama.${key} is ${value}, and a whole number is needed.`);
}

function real({ metadata, file }: GgufHeader, key: string, fallback?: number): number {
  let value: unknown = metadata.get(`llama.${key}`) ?? fallback;
  if (Array.isArray(value)) {
    const list = value as unknown[];
    if (list.some((item) => item !== list[0]))
      throw errors.unsupported(`${file}: llama.${key} differs from layer to layer, which is not implemented.`);
    value = list[0];
  }
  if (typeof value === 'bigint') value = Number(value);
  if (typeof value === 'number') return value;
  throw errors.badModelFile(`${file}: llama.${key} is ${value === undefined ? 'missing' : 'not a number'}.`);
}

/** transformers' `rope_scaling`, from the metadata or from the factors that llama.cpp writes for Llama 3. */
function ropeScaling(
  header: GgufHeader,
  factors: Float32Array | undefined,
  headDim: number,
  freqBase: number,
): Record<string, unknown> | null {
  const { metadata, file } = header;
  const type = metadata.get('llama.rope.scaling.type') ?? (metadata.has('llama.rope.scale_linear') ? 'linear' : 'none');
  if (type === 'linear') {
    if (factors) throw errors.unsupported(`${file}: linear rotary scaling together with rope_freqs.weight is not implemented.`);
    const factor = real(header, metadata.has('llama.rope.scaling.factor') ? 'rope.scaling.factor' : 'rope.scale_linear');
    return { type: 'linear', factor };
  }
  if (type !== 'none')
    throw errors.unsupported(
      `${file}: rotary embeddings of type ${JSON.stringify(type)?.slice(0, 100)} are not implemented; of GGUF files these are: linear, llama3.`,
    );
  return factors ? llama3Scaling(file, factors, headDim, freqBase) : null;
}

/**
 * llama.cpp keeps the factors that Llama 3's rule gives, not its parameters. All models that have one (3.1, 3.2, 3.3)
 * share all parameters but the largest factor, so those are taken and must give the file's factors again.
 */
function llama3Scaling(
  file: string,
  factors: Float32Array,
  headDim: number,
  freqBase: number,
): Record<string, unknown> | null {
  const factor = Math.max(...factors);
  if (factors.every((value) => value === 1)) return null;
  const rule = { factor, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 };
  const expected = llama3Factors(rule, headDim, freqBase);
  const agrees =
    factors.length === expected.length && factors.every((value, i) => Math.abs(value / expected[i]! - 1) < 1e-4);
  if (agrees) return { rope_type: 'llama3', ...rule };
  throw errors.unsupported(`${file}: rope_freqs.weight does not hold the factors of Llama 3, and no others are implemented.`);
}

/** What each of the headDim / 2 frequencies is divided by. */
function llama3Factors(
  rule: { factor: number; low_freq_factor: number; high_freq_factor: number; original_max_position_embeddings: number },
  headDim: number,
  freqBase: number,
): number[] {
  const { factor, low_freq_factor: low, high_freq_factor: high, original_max_position_embeddings: original } = rule;
  return Array.from({ length: headDim / 2 }, (_, i) => {
    const turns = original / (2 * Math.PI * freqBase ** ((2 * i) / headDim));
    if (turns > high) return 1;
    if (turns < low) return factor;
    const smooth = (turns - low) / (high - low);
    return 1 / ((1 - smooth) / factor + smooth);
  });
}
