import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { L3PruneError } from '../../src/errors.ts';
import { checkTensors, findPrefix, parseConfig } from '../../src/models/config.ts';
import { readSafetensors } from '../../src/models/safetensors.ts';
import { LLAMA } from './folder.ts';
import { hostileValue, replaceAt, runs, seed } from './mutation.ts';

const fixture = JSON.parse(readFileSync(join(LLAMA, 'config.json'), 'utf8')) as Record<string, unknown>;

/** Llama 2 7B as its config.json is on the hub. */
const llama2 = {
  _name_or_path: 'meta-llama/Llama-2-7b-hf',
  architectures: ['LlamaForCausalLM'],
  bos_token_id: 1,
  eos_token_id: 2,
  hidden_act: 'silu',
  hidden_size: 4096,
  initializer_range: 0.02,
  intermediate_size: 11_008,
  max_position_embeddings: 4096,
  model_type: 'llama',
  num_attention_heads: 32,
  num_hidden_layers: 32,
  num_key_value_heads: 32,
  pretraining_tp: 1,
  rms_norm_eps: 1e-5,
  rope_scaling: null,
  tie_word_embeddings: false,
  torch_dtype: 'float16',
  transformers_version: '4.31.0.dev0',
  use_cache: true,
  vocab_size: 32_000,
};
const llama3 = {
  ...llama2,
  vocab_size: 128_256,
  num_key_value_heads: 8,
  intermediate_size: 14_336,
  max_position_embeddings: 131_072,
  attention_bias: false,
  attention_dropout: 0,
  mlp_bias: false,
  eos_token_id: [128_001, 128_008, 128_009],
  rope_scaling: { factor: 8, high_freq_factor: 4, low_freq_factor: 1, original_max_position_embeddings: 8192, rope_type: 'llama3' },
  rope_theta: 500_000,
};
const smollm2 = {
  ...llama2,
  hidden_size: 576,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  is_llama_config: true,
  rope_interleaved: false,
  rope_theta: 100_000,
  'transformers.js_config': { kv_cache_dtype: { q4f16: 'float16' } },
};
const parse = (config: unknown) => parseConfig(config, 'config.json');

describe('a config is read', () => {
  test('of a checkpoint in the style of transformers 4', () => {
    expect(parse(fixture)).toEqual({
      family: 'llama',
      vocabSize: 797,
      hiddenSize: 64,
      intermediateSize: 160,
      numHiddenLayers: 6,
      numAttentionHeads: 4,
      numKeyValueHeads: 2,
      headDim: 16,
      rmsNormEpsilon: 1e-5,
      ropeTheta: 10_000,
      ropeScaling: { type: 'llama3', factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalMaxPositions: 32 },
      maxPositionEmbeddings: 256,
      attentionBias: false,
      mlpBias: false,
      raw: fixture,
    });
  });

  test('of a checkpoint in the style of transformers 5, to the same settings', () => {
    const { rope_theta, rope_scaling, torch_dtype, ...rest } = fixture;
    const recent = { ...rest, dtype: torch_dtype, rope_parameters: { ...(rope_scaling as object), rope_theta } };
    expect({ ...parse(recent), raw: fixture }).toEqual(parse(fixture));
  });

  test('of Llama 2, Llama 3.1 and SmolLM2 as they are on the hub', () => {
    expect(parse(llama2)).toMatchObject({ headDim: 128, ropeTheta: 10_000, ropeScaling: { type: 'default' } });
    expect(parse(llama3)).toMatchObject({ numKeyValueHeads: 8, ropeTheta: 500_000, ropeScaling: { type: 'llama3', factor: 8 } });
    expect(parse(smollm2)).toMatchObject({ headDim: 64, numKeyValueHeads: 3 });
  });

  test('with linear rotary scaling, under either name of its type', () => {
    const scaling = { type: 'linear', factor: 2 };
    expect(parse({ ...llama2, rope_scaling: { type: 'linear', factor: 2 } }).ropeScaling).toEqual(scaling);
    expect(parse({ ...llama2, rope_scaling: { rope_type: 'linear', type: 'linear', factor: 2 } }).ropeScaling).toEqual(scaling);
  });
});

describe('what changes the mathematics and is not implemented is refused by name:', () => {
  test.each<[Record<string, unknown>, string]>([
    [{ model_type: 'mamba' }, '"mamba"'],
    [{ hidden_act: 'gelu' }, 'hidden_act "gelu"'],
    [{ sliding_window: 4096 }, 'sliding_window is 4096'],
    [{ use_sliding_window: true }, 'use_sliding_window is true'],
    [{ attn_logit_softcapping: 50 }, 'attn_logit_softcapping is 50'],
    [{ partial_rotary_factor: 0.5 }, 'partial_rotary_factor is 0.5'],
    [{ layer_types: ['full_attention', 'sliding_attention'] }, 'layer_types'],
    [{ quantization_config: { quant_method: 'gptq', bits: 4 } }, 'quantization_config'],
    [{ num_local_experts: 8 }, 'num_local_experts is 8'],
    [{ auto_map: { AutoModel: 'modeling_x.X' } }, 'auto_map'],
    [{ pretraining_tp: 2 }, 'pretraining_tp is 2'],
    [{ embedding_multiplier: 12 }, 'embedding_multiplier is 12'],
    [{ constructor: 1 }, 'constructor is 1'],
    [{ rope_scaling: { rope_type: 'yarn', factor: 4 } }, 'type "yarn"'],
    [{ rope_scaling: { type: 'dynamic', factor: 4 } }, 'type "dynamic"'],
    [{ rope_scaling: { type: 'linear', factor: 4, attention_factor: 2 } }, 'rope_scaling.attention_factor'],
    [{ rope_parameters: { full_attention: { rope_type: 'default' } } }, 'rope_parameters.full_attention'],
  ])('%j', (change, words) => {
    expect(() => parse({ ...llama2, ...change })).toThrow(expect.objectContaining({ code: 'UNSUPPORTED', message: expect.stringContaining(words) }));
  });

  test('but its neutral value is not', () => {
    const neutral = { sliding_window: null, use_sliding_window: false, layer_types: ['full_attention'], partial_rotary_factor: 1, num_experts: 0, quantization_config: null };
    expect({ ...parse({ ...llama2, ...neutral }), raw: llama2 }).toEqual(parse(llama2));
  });
});

describe('a config that makes no sense is refused:', () => {
  test.each<[unknown]>([
    [null], [[]], ['{}'], [{}],
    [{ ...llama2, hidden_size: undefined }],
    [{ ...llama2, hidden_size: '4096' }],
    [{ ...llama2, num_hidden_layers: 0 }],
    [{ ...llama2, num_hidden_layers: 1001 }],
    [{ ...llama2, vocab_size: 2 ** 53 }],
    [{ ...llama2, num_attention_heads: 32, num_key_value_heads: 5 }],
    [{ ...llama2, num_attention_heads: 33, num_key_value_heads: 33 }],
    [{ ...llama2, head_dim: 15 }],
    [{ ...llama2, rms_norm_eps: -1 }],
    [{ ...llama2, rope_theta: 0 }],
    [{ ...llama2, rope_theta: 1, rope_parameters: { rope_theta: 2 } }],
    [{ ...llama2, rope_scaling: 'linear' }],
    [{ ...llama2, rope_scaling: { type: 'linear' } }],
    [{ ...llama2, rope_scaling: { type: 'linear', rope_type: 'default', factor: 2 } }],
    [{ ...llama2, rope_scaling: { type: 'linear', factor: 2 }, rope_parameters: { rope_type: 'linear', factor: 4 } }],
    [{ ...llama3, rope_scaling: { ...llama3.rope_scaling, low_freq_factor: 4 } }],
    [{ ...llama2, attention_bias: 'yes' }],
  ])('%j', (config) => {
    expect(() => parse(config)).toThrow(expect.objectContaining({ code: 'BAD_CONFIG' }));
  });

  test('with the key in its sentence', () => {
    const { hidden_size: _size, ...rest } = llama2;
    expect(() => parse(rest)).toThrow('config.json: hidden_size is missing.');
    expect(() => parse({ ...llama2, num_hidden_layers: 5000 })).toThrow('config.json: num_hidden_layers is wrong (too big: expected number to be <=1000).');
  });

  test('whatever value stands wherever, it is read within bounds or refused in a sentence', () => {
    fc.assert(
      fc.property(fc.constantFrom(fixture, llama2, llama3, smollm2), fc.nat(100), hostileValue, (config, n, value) => {
        try {
          const read = parse(replaceAt(config, n, value));
          expect(Number.isInteger(read.headDim)).toBe(true);
          expect(read.numAttentionHeads % read.numKeyValueHeads).toBe(0);
        } catch (error) {
          expect(error).toBeInstanceOf(L3PruneError);
          expect((error as Error).message).toMatch(/^[^\n]+\.$/);
        }
      }),
      { numRuns: runs(2000), ...seed },
    );
  });
});

describe('the tensors are checked against the config', () => {
  test('and found under their prefix', async () => {
    const tensors = await readSafetensors(LLAMA);
    const bare = new Map([...tensors].map(([name, tensor]) => [name.replace(/^model\./, ''), tensor]));
    expect(findPrefix(tensors)).toBe('model.');
    expect(findPrefix(bare)).toBe('');
    checkTensors(parse(fixture), tensors);
    checkTensors(parse(fixture), bare);
  });

  test('and what is missing, misshapen or of another type is named', async () => {
    const tensors = await readSafetensors(LLAMA);
    const name = 'model.layers.3.mlp.up_proj.weight';
    const without = new Map([...tensors].filter(([other]) => other !== name));
    expect(() => checkTensors(parse(fixture), without)).toThrow(`Tensor ${name}, which config.json asks for, is missing`);
    expect(() => checkTensors(parse(fixture), without, new Map([[name, 'I8']]))).toThrow(`Tensor ${name} is stored as I8`);
    expect(() => checkTensors(parse({ ...fixture, intermediate_size: 161 }), tensors)).toThrow(
      'Tensor model.layers.0.mlp.gate_proj.weight has the shape [160, 64] and config.json asks for [161, 64].',
    );
    expect(() => checkTensors(parse({ ...fixture, num_hidden_layers: 7 }), tensors)).toThrow('model.layers.6.');
    expect(() => checkTensors(parse({ ...fixture, attention_bias: true }), tensors)).toThrow('self_attn.q_proj.bias');
    expect(() => checkTensors(parse(fixture), new Map())).toThrow('embed_tokens.weight');
  });
});
