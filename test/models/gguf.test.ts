import { readFileSync } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gguf } from '@huggingface/gguf';
import { Tokenizer } from '@huggingface/tokenizers';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { CancelledError, L3PruneError } from '../../src/errors.ts';
import { openCheckpoint } from '../../src/models/checkpoint.ts';
import { dequantize, type GgufType } from '../../src/models/gguf-dequantize.ts';
import { readGgufMetadata } from '../../src/models/gguf-metadata.ts';
import { convertGguf } from '../../src/models/gguf.ts';
import { readSafetensors, readTensor } from '../../src/models/safetensors.ts';
import type { StoredTensor } from '../../src/models/types.ts';
import { LLAMA, snapshot, useFolder } from './folder.ts';
import { buildGguf, type MetadataEntry, type TensorEntry } from './gguf-file.ts';
import { mutate, mutations, runs, seed } from './mutation.ts';

const folder = useFolder();
const readJson = (path: string) => JSON.parse(readFileSync(path, 'utf8'));

test('blocks are dequantised bit for bit as the gguf package does it', () => {
  const { types } = readJson(join(import.meta.dirname, '../fixtures/gguf/blocks.json')) as {
    types: Record<GgufType, { bytes: string; float32: string }>;
  };
  expect(Object.keys(types)).toEqual(['F32', 'F16', 'BF16', 'Q8_0', 'Q4_0', 'Q4_1']);
  for (const [type, { bytes, float32 }] of Object.entries(types)) {
    const values = dequantize(Buffer.from(bytes, 'hex'), type as GgufType);
    expect(Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('hex'), type).toBe(float32);
  }
});

/** The fixture checkpoint as llama.cpp would write it, in float32: two layers are enough. */
const LAYERS = 2;
let metadata: MetadataEntry[];
let tensors: TensorEntry[];

beforeAll(async () => {
  const config = readJson(join(LLAMA, 'config.json'));
  const { model, added_tokens: added } = readJson(join(LLAMA, 'tokenizer.json'));
  const tokens: string[] = [];
  for (const [token, id] of Object.entries<number>(model.vocab)) tokens[id] = token;
  for (const { id, content } of added) tokens[id] = content;
  const special = new Set(added.map(({ id }: { id: number }) => id));
  metadata = [
    ['general.architecture', 'str', 'llama'],
    ['llama.block_count', 'u32', LAYERS],
    ['llama.context_length', 'u32', config.max_position_embeddings],
    ['llama.embedding_length', 'u32', config.hidden_size],
    ['llama.feed_forward_length', 'u32', config.intermediate_size],
    ['llama.attention.head_count', 'u32', config.num_attention_heads],
    ['llama.attention.head_count_kv', 'u64', config.num_key_value_heads],
    ['llama.attention.layer_norm_rms_epsilon', 'f32', config.rms_norm_eps],
    ['llama.rope.dimension_count', 'u32', config.head_dim],
    ['llama.rope.freq_base', 'f32', config.rope_theta],
    ['tokenizer.ggml.model', 'str', 'gpt2'],
    ['tokenizer.ggml.pre', 'str', 'llama-bpe'],
    ['tokenizer.ggml.tokens', 'str[]', tokens],
    ['tokenizer.ggml.token_type', 'i32[]', tokens.map((_, id) => (special.has(id) ? 3 : 1))],
    ['tokenizer.ggml.merges', 'str[]', model.merges.map((pair: string[]) => pair.join(' '))],
    ['tokenizer.ggml.bos_token_id', 'u32', config.bos_token_id],
    ['tokenizer.ggml.eos_token_id', 'u32', config.eos_token_id],
  ];
  tensors = [];
  for (const [name, tensor] of await readSafetensors(LLAMA)) {
    const match = /^model\.layers\.(\d+)\.(.*)\.weight$/.exec(name);
    if (match && Number(match[1]) >= LAYERS) continue;
    const values = await readTensor(tensor);
    const interleaved = /[qk]_proj/.test(name) ? interleave(values, config.head_dim, config.hidden_size) : values;
    tensors.push({ name: ggufName(name), type: 'F32', shape: tensor.shape, bytes: new Uint8Array(interleaved.buffer) });
  }
});

function ggufName(name: string): string {
  const parts: Record<string, string> = {
    input_layernorm: 'attn_norm', 'self_attn.q_proj': 'attn_q', 'self_attn.k_proj': 'attn_k', 'self_attn.v_proj': 'attn_v',
    'self_attn.o_proj': 'attn_output', post_attention_layernorm: 'ffn_norm', 'mlp.gate_proj': 'ffn_gate',
    'mlp.up_proj': 'ffn_up', 'mlp.down_proj': 'ffn_down',
  };
  const whole: Record<string, string> = { 'model.embed_tokens': 'token_embd', 'model.norm': 'output_norm', lm_head: 'output' };
  const match = /^model\.layers\.(\d+)\.(.*)\.weight$/.exec(name);
  return match ? `blk.${match[1]}.${parts[match[2]!]}.weight` : `${whole[name.replace('.weight', '')]}.weight`;
}

/** llama.cpp's order, from its own words: reshape(heads, 2, dim / 2, …).swapaxes(1, 2). */
function interleave(values: Float32Array, headDim: number, columns: number): Float32Array {
  const out: number[] = [];
  for (let head = 0; head < values.length / columns / headDim; head++)
    for (let i = 0; i < headDim / 2; i++)
      for (const half of [0, 1]) {
        const row = head * headDim + half * (headDim / 2) + i;
        out.push(...values.subarray(row * columns, (row + 1) * columns));
      }
  return Float32Array.from(out);
}

async function sameValues(a: StoredTensor, b: StoredTensor): Promise<boolean> {
  const [x, y] = [await readTensor(a), await readTensor(b)];
  return x.length === y.length && x.every((value, i) => Object.is(value, y[i]));
}

const withMetadata = (...changes: MetadataEntry[]): MetadataEntry[] => [
  ...metadata.filter(([key]) => !changes.some(([changed]) => changed === key)),
  ...changes.filter(([, , value]) => value !== undefined),
];

async function convert(content: Uint8Array, options: Parameters<typeof convertGguf>[2] = {}): Promise<string> {
  await writeFile(folder.path('m.gguf'), content);
  await convertGguf(folder.path('m.gguf'), folder.path('out'), options);
  return folder.path('out');
}

describe('a GGUF file becomes a float32 checkpoint', () => {
  test.each([2, 3])('with the same tensors, settings and token ids (version %i)', async (version) => {
    const out = await convert(buildGguf(metadata, tensors, { version, alignment: 64 }));
    const { config, tokenizer } = await openCheckpoint(out);
    expect(config).toMatchObject({ numHiddenLayers: LAYERS, headDim: 16, numKeyValueHeads: 2, ropeTheta: 10_000, ropeScaling: { type: 'default' } });
    expect(config.rmsNormEpsilon).toBe(Math.fround(1e-5));
    expect(config.raw['tie_word_embeddings']).toBe(false);

    const original = await readSafetensors(LLAMA);
    const converted = await readSafetensors(out);
    expect(converted.size).toBe(tensors.length);
    for (const [name, tensor] of converted) {
      expect(tensor.type).toBe('F32');
      expect(await sameValues(tensor, original.get(name)!), name).toBe(true);
    }
    const { cases } = readJson(join(LLAMA, '../tokenizer_cases.json'));
    for (const { text, ids, ids_with_special } of cases) {
      expect(tokenizer.tokenize(text, { addSpecialTokens: false }).ids, text).toEqual(ids);
      expect(tokenizer.tokenize(text).ids, text).toEqual(ids_with_special);
    }
  });

  test('whose tokenizer the library reads as ours does', async () => {
    const out = await convert(buildGguf(metadata, tensors));
    const library = new Tokenizer(readJson(join(out, 'tokenizer.json')), readJson(join(out, 'tokenizer_config.json')));
    const { cases } = readJson(join(LLAMA, '../tokenizer_cases.json'));
    for (const { text, ids_with_special } of cases) expect(library.encode(text).ids, text).toEqual(ids_with_special);
  });

  test('tied where it has no output matrix', async () => {
    const out = await convert(buildGguf(metadata, tensors.filter(({ name }) => name !== 'output.weight')));
    expect([...(await readSafetensors(out)).keys()]).not.toContain('lm_head.weight');
    expect((await openCheckpoint(out)).config.raw['tie_word_embeddings']).toBe(true);
  });

  test('with the rotary rule of Llama 3, which it knows by its factors', async () => {
    const factors = (factor: number, high = 4) =>
      Float32Array.from({ length: 8 }, (_, i) => {
        const wavelength = 2 * Math.PI * 10_000 ** (i / 8);
        if (wavelength < 8192 / high) return 1;
        if (wavelength > 8192) return factor;
        const smooth = (8192 / wavelength - 1) / (high - 1);
        return 1 / ((1 - smooth) / factor + smooth);
      });
    const rope = (values: Float32Array): TensorEntry => ({ name: 'rope_freqs.weight', type: 'F32', shape: [8], bytes: new Uint8Array(values.buffer) });
    const out = await convert(buildGguf(metadata, [...tensors, rope(factors(32))]));
    expect((await openCheckpoint(out)).config.ropeScaling).toEqual({
      type: 'llama3', factor: 32, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalMaxPositions: 8192,
    });
    await expect(convert(buildGguf(metadata, [...tensors, rope(factors(32, 3))]), { force: true })).rejects.toThrow('rope_freqs.weight');
    await convert(buildGguf(metadata, [...tensors, rope(new Float32Array(8).fill(1))]), { force: true });
    expect((await openCheckpoint(out)).config.ropeScaling).toEqual({ type: 'default' });
  });

  test('with the biases that it has, in the order of their rows', async () => {
    const bias = (name: string, rows: number): [TensorEntry, Float32Array] => {
      const values = Float32Array.from({ length: rows }, (_, i) => i);
      const stored = /attn_[qk]/.test(name) ? interleave(values, 16, 1) : values;
      return [{ name: `${name}.bias`, type: 'F32', shape: [rows], bytes: new Uint8Array(stored.buffer) }, values];
    };
    const biases = [0, 1].flatMap((layer) =>
      Object.entries({ attn_q: 64, attn_k: 32, attn_v: 32, attn_output: 64 }).map(([part, rows]) => bias(`blk.${layer}.${part}`, rows)),
    );
    const { config, tensors: converted } = await openCheckpoint(await convert(buildGguf(metadata, [...tensors, ...biases.map(([entry]) => entry)])));
    expect(config.attentionBias).toBe(true);
    expect(await readTensor(converted.get('model.layers.1.self_attn.k_proj.bias')!)).toEqual(biases[5]![1]);
    expect(await readTensor(converted.get('model.layers.0.self_attn.o_proj.bias')!)).toEqual(biases[3]![1]);
    const incomplete = convert(buildGguf(metadata, [...tensors, ...biases.slice(0, 3).map(([entry]) => entry)]), { force: true });
    await expect(incomplete).rejects.toMatchObject({ code: 'BAD_MODEL_FILE', message: expect.stringContaining('o_proj.bias is missing') });
  });

  test('with linear rotary scaling', async () => {
    const linear = withMetadata(['llama.rope.scaling.type', 'str', 'linear'], ['llama.rope.scaling.factor', 'f32', 4]);
    expect((await openCheckpoint(await convert(buildGguf(linear, tensors)))).config.ropeScaling).toEqual({ type: 'linear', factor: 4 });
  });

  test('and the tokenizer adds a bos only where the file says so', async () => {
    const out = await convert(buildGguf(withMetadata(['tokenizer.ggml.add_bos_token', 'bool', false]), tensors));
    expect((await openCheckpoint(out)).tokenizer.addsBos).toBe(false);
  });

  test('or nothing, when it is cancelled', async () => {
    const controller = new AbortController();
    const cancelled = convert(buildGguf(metadata, tensors), { signal: controller.signal, onProgress: () => controller.abort() });
    await expect(cancelled).rejects.toBeInstanceOf(CancelledError);
    expect(await readdir(folder.path())).toEqual(['m.gguf']);
  });
});

test('a header is read as the library reads it, where the library reads it right', async () => {
  await writeFile(folder.path('m.gguf'), buildGguf(metadata, tensors));
  const ours = await readGgufMetadata(folder.path('m.gguf'));
  const library = await gguf(folder.path('m.gguf'), { allowLocalFile: true });
  const { version: _version, tensor_count: _tensors, kv_count: _keys, ...values } = library.metadata;
  expect(Object.fromEntries(ours.metadata)).toEqual(values);
  expect(ours.end).toBe(library.tensorInfoByteRange[1]);
  expect(ours.tensors).toEqual(
    library.tensorInfos.map(({ name, shape, dtype, offset }) => ({ name, dimensions: shape, type: dtype, offset })),
  );
});

test('a vocabulary of many megabytes is read whole', async () => {
  const tokens = Array.from({ length: 60_000 }, (_, i) => `${'token'.repeat(i % 20)}${i}`);
  await writeFile(folder.path('m.gguf'), buildGguf([['tokens', 'str[]', tokens], ['after', 'bool', true]], []));
  const read = await readGgufMetadata(folder.path('m.gguf'));
  expect((read.metadata.get('tokens') as string[]).join('\n') === tokens.join('\n')).toBe(true);
  expect(read.metadata.get('after')).toBe(true);
});

describe('a GGUF file is refused, with the reason, and nothing is written', () => {
  const change = (name: string, edit: Partial<TensorEntry>) => tensors.map((tensor) => (tensor.name === name ? { ...tensor, ...edit } : tensor));
  const nan = () => {
    const bytes = new Uint8Array(64 * 4);
    new DataView(bytes.buffer).setFloat32(40, Number.NaN, true);
    return bytes;
  };
  const number64 = (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(value);
    return bytes;
  };
  const at = (content: Buffer, position: number, bytes: Uint8Array) => {
    content.set(bytes, position);
    return content;
  };
  const valid = () => buildGguf(metadata, tensors);
  const cases: Array<[name: string, content: () => Buffer, code: string, words: string]> = [
    ['empty', () => Buffer.alloc(0), 'BAD_MODEL_FILE', 'does not start with GGUF'],
    ['another format', () => Buffer.from('PK\u0003\u0004 and so on and so forth'), 'BAD_MODEL_FILE', 'does not start with GGUF'],
    ['version 1', () => buildGguf(metadata, tensors, { version: 1 }), 'UNSUPPORTED', 'version 1'],
    ['big-endian', () => buildGguf(metadata, tensors, { version: 0x03000000 }), 'UNSUPPORTED', 'big-endian'],
    ['cut in the header', () => valid().subarray(0, 3000), 'BAD_MODEL_FILE', 'ends inside its header'],
    ['cut in the data', () => valid().subarray(0, -1000), 'BAD_MODEL_FILE', 'does not fit into its'],
    ['2^63 tensors', () => at(valid(), 8, number64(1n << 63n)), 'BAD_MODEL_FILE', 'claims 9223372036854775808 tensors'],
    ['2^64-1 keys', () => at(valid(), 16, number64((1n << 64n) - 1n)), 'BAD_MODEL_FILE', 'keys'],
    ['a key of 2^63 bytes', () => at(valid(), 24, number64(1n << 63n)), 'BAD_MODEL_FILE', 'bytes in a string'],
    ['a key twice', () => buildGguf([...metadata, metadata[0]!], tensors), 'BAD_MODEL_FILE', 'there twice'],
    ['a tensor twice', () => buildGguf(metadata, [...tensors, tensors[0]!]), 'BAD_MODEL_FILE', 'twice'],
    ['another architecture', () => buildGguf(withMetadata(['general.architecture', 'str', 'falcon']), tensors), 'UNSUPPORTED', '"falcon"'],
    ['a part of several', () => buildGguf(withMetadata(['split.count', 'u16', 3]), tensors), 'UNSUPPORTED', 'several files'],
    ['experts', () => buildGguf(withMetadata(['llama.expert_count', 'u32', 8]), tensors), 'UNSUPPORTED', 'expert_count is 8'],
    ['an unknown setting', () => buildGguf(withMetadata(['llama.attention.scale', 'f32', 2]), tensors), 'UNSUPPORTED', 'attention.scale is 2'],
    ['yarn', () => buildGguf(withMetadata(['llama.rope.scaling.type', 'str', 'yarn']), tensors), 'UNSUPPORTED', '"yarn"'],
    ['a part of a head rotated', () => buildGguf(withMetadata(['llama.rope.dimension_count', 'u32', 8]), tensors), 'UNSUPPORTED', 'dimension_count'],
    ['a setting that is missing', () => buildGguf(withMetadata(['llama.block_count', 'u32', undefined]), tensors), 'BAD_MODEL_FILE', 'block_count is missing'],
    ['a setting of a wrong type', () => buildGguf(withMetadata(['llama.block_count', 'str', '2']), tensors), 'BAD_MODEL_FILE', 'block_count is not a number'],
    ['2^62 layers', () => buildGguf(withMetadata(['llama.block_count', 'u64', 2 ** 62]), tensors), 'BAD_MODEL_FILE', 'block_count'],
    ['more layers than tensors', () => buildGguf(withMetadata(['llama.block_count', 'u32', 3]), tensors), 'BAD_MODEL_FILE', 'model.layers.2'],
    ['fewer layers than tensors', () => buildGguf(withMetadata(['llama.block_count', 'u32', 1]), tensors), 'BAD_MODEL_FILE', 'blk.1'],
    ['a tensor of an unknown part', () => buildGguf(metadata, [...tensors, { ...tensors[0]!, name: 'blk.0.ffn_gate_inp.weight' }]), 'UNSUPPORTED', 'ffn_gate_inp'],
    ['a shape that contradicts the settings', () => buildGguf(metadata, change('blk.0.attn_v.weight', { shape: [64, 32] })), 'BAD_MODEL_FILE', '[64, 32]'],
    ['a type that is not read', () => buildGguf(metadata, change('blk.0.attn_v.weight', { type: 'Q5_0' })), 'UNSUPPORTED', 'Q5_0'],
    ['rows that are no whole blocks', () => buildGguf(metadata, change('blk.0.attn_v.weight', { type: 'Q8_0', shape: [64, 33] })), 'BAD_MODEL_FILE', 'attn_v'],
    ['NaN', () => buildGguf(metadata, change('output_norm.weight', { bytes: nan() })), 'NOT_FINITE', 'output_norm.weight'],
    ['an unknown tokenizer', () => buildGguf(withMetadata(['tokenizer.ggml.model', 'str', 'bert']), tensors), 'UNSUPPORTED', '"bert"'],
    ['an unknown pre-tokenizer', () => buildGguf(withMetadata(['tokenizer.ggml.pre', 'str', 'default']), tensors), 'UNSUPPORTED', '"default"'],
    ['no tokens', () => buildGguf(withMetadata(['tokenizer.ggml.tokens', 'str[]', undefined]), tensors), 'BAD_TOKENIZER', 'tokens'],
    ['more tokens than embeddings', () => buildGguf(withMetadata(['tokenizer.ggml.tokens', 'str[]', Array.from({ length: 798 }, String)]), tensors), 'BAD_TOKENIZER', '798 tokens'],
    ['a merge of no tokens', () => buildGguf(withMetadata(['tokenizer.ggml.merges', 'str[]', ['no such']]), tensors), 'BAD_TOKENIZER', 'no such'],
    ['a bos outside the vocabulary', () => buildGguf(withMetadata(['tokenizer.ggml.bos_token_id', 'u32', 5000]), tensors), 'BAD_TOKENIZER', 'bos_token_id is 5000'],
    ['an alignment that is none', () => buildGguf(withMetadata(['general.alignment', 'u32', 33]), tensors), 'BAD_MODEL_FILE', 'alignment is 33'],
  ];
  test.each(cases)('%s', async (_name, content, code, words) => {
    const bytes = content();
    await expect(convert(bytes)).rejects.toMatchObject({ name: 'L3PruneError', code, message: expect.stringContaining(words) });
    expect(Object.keys(await snapshot(folder.path()))).toEqual([folder.path('m.gguf')]);
    expect(bytes.equals(await readFile(folder.path('m.gguf')))).toBe(true);
  });

  test('when it is not there, or a folder', async () => {
    await expect(convertGguf(folder.path('no.gguf'), folder.path('out'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(convertGguf(folder.path(), folder.path('out'))).rejects.toBeInstanceOf(L3PruneError);
  });
});

test('whatever is done to a valid GGUF file, it is converted or refused in a sentence, and never halfway', async () => {
  const small = withMetadata(
    ['tokenizer.ggml.tokens', 'str[]', ['a', 'b', 'ab', '<s>']],
    ['tokenizer.ggml.token_type', 'i32[]', [1, 1, 1, 3]],
    ['tokenizer.ggml.merges', 'str[]', ['a b']],
    ['tokenizer.ggml.bos_token_id', 'u32', 3],
    ['tokenizer.ggml.eos_token_id', 'u32', 3],
  );
  const valid = buildGguf(small, tensors);
  const header = valid.length - tensors.reduce((sum, { bytes }) => sum + bytes.length, 0);
  await fc.assert(
    fc.asyncProperty(mutations, async (changes) => {
      const converted = await convert(mutate(valid, changes, header)).then(
        () => true,
        (error: unknown) => {
          expect(error).toBeInstanceOf(L3PruneError);
          expect((error as Error).message).toMatch(/^[^\n]+\.$/);
          return false;
        },
      );
      expect((await readdir(folder.path())).sort()).toEqual(converted ? ['m.gguf', 'out'] : ['m.gguf']);
      if (converted) await openCheckpoint(folder.path('out'));
      await rm(folder.path('out'), { recursive: true, force: true });
    }),
    { numRuns: runs(200), ...seed },
  );
}, 300_000);
