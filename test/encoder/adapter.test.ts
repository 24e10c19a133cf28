import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readAdapter, writeAdapter, type Adapter } from '../../src/encoder/adapter.ts';
import { withAdapter } from '../../src/encoder/adapted.ts';
import { Encoder } from '../../src/encoder/encoder.ts';
import { openCheckpoint } from '../../src/models/checkpoint.ts';
import type { Checkpoint } from '../../src/models/types.ts';
import { LLAMA, useFolder } from '../models/folder.ts';
import { encodeWith, engine, fixtures, inputOf, readReference, referenceArray, worstDifference } from '../reference.ts';

const reference = readReference('llama');
const { prune_to: layers, embedding_inputs: chosen } = reference.lora;
const texts = chosen.map((place) => inputOf(reference.inputs[place]!));
const folder = join(fixtures, 'llama', 'adapter');
const temporary = useFolder();
let base: Checkpoint;
let adapter: Adapter;

beforeAll(async () => {
  base = await openCheckpoint(LLAMA);
  adapter = await readAdapter(folder, base.config, layers);
});

const encode = (checkpoint: Checkpoint, depth = layers): Promise<Float32Array> =>
  encodeWith(checkpoint, { maxLength: reference.max_length, layers: depth, output: 'last' }, (encoder) => texts.map((text) => encoder.prepare(text)));

describe('an adapter beside the weights', () => {
  test('gives the embeddings that PEFT gives', async () => {
    const found = await encode(withAdapter(base, adapter));
    expect(worstDifference(found, await referenceArray('llama', 'lora.embeddings'), base.config.hiddenSize)).toBeLessThan(1e-5);
  });

  test('is of as many layers as it has tensors for where nobody says', async () => {
    expect((await readAdapter(folder, base.config)).modules).toEqual(adapter.modules);
  });

  test('at a smaller depth adds to the layers that are left', async () => {
    const every = await encodeWith(withAdapter(base, adapter), { maxLength: reference.max_length, layers, output: 'every' }, (encoder) =>
      texts.map((text) => encoder.prepare(text)),
    );
    const size = texts.length * base.config.hiddenSize;
    expect(worstDifference(await encode(withAdapter(base, adapter), 2), every.subarray(size, 2 * size), base.config.hiddenSize)).toBeLessThan(1e-6);
  });

  test('of fewer layers than are used is refused', async () => {
    const options = { attention: 'causal', pooling: 'mean', maxLength: 96, output: 'last' } as const;
    await expect(Encoder.open(engine, withAdapter(base, adapter), options)).rejects.toMatchObject({ code: 'USAGE' });
  });

  test('can be exchanged without loading the weights again', async () => {
    const none: Adapter = { ...adapter, parameters: new Map([...adapter.parameters].map(([name, { length }]) => [name, new Float32Array(length)])) };
    const options = { attention: 'causal', pooling: 'weighted_mean', maxLength: reference.max_length, layers, output: 'last' } as const;
    const encoder = await Encoder.open(engine, withAdapter(base, none), options);
    const prepared = texts.map((text) => encoder.prepare(text));
    const plain = await encoder.encode(prepared);
    const adapted = await encoder.withParameters(adapter.parameters).encode(prepared);
    await encoder.dispose();
    expect(worstDifference(plain, await encode(base), base.config.hiddenSize)).toBeLessThan(1e-6);
    expect(worstDifference(adapted, await referenceArray('llama', 'lora.embeddings'), base.config.hiddenSize)).toBeLessThan(1e-5);
  });

  test('makes another model of it, by its fingerprint', async () => {
    const fingerprints = [base, withAdapter(base, adapter), withAdapter(base, { ...adapter, lora: { ...adapter.lora, alpha: 9 } })];
    expect(new Set(await Promise.all(fingerprints.map((checkpoint) => checkpoint.fingerprint()))).size).toBe(3);
  });

  test('is the same after it was written and read', async () => {
    await mkdir(temporary.path('adapter'));
    await writeAdapter(temporary.path('adapter'), adapter, 'somewhere');
    expect(await readAdapter(temporary.path('adapter'), base.config, layers)).toEqual(adapter);
  });
});

test.each([
  ['a pattern of modules', { target_modules: '.*proj' }, 'target_modules has to be a list of modules, not a pattern of them'],
  ['ranks of their own', { rank_pattern: { q_proj: 4 } }, 'rank_pattern.q_proj is not supported: every module has the rank and alpha of all'],
  ['DoRA', { use_dora: true }, 'use_dora has to be false'],
  ['modules that are trained whole', { modules_to_save: ['lm_head'] }, 'modules_to_save is not supported: modules that are trained whole have no place here'],
])('an adapter with %s is refused in words', async (_, change, sentence) => {
  await mkdir(temporary.path('other'), { recursive: true });
  const config = JSON.parse(await readFile(join(folder, 'adapter_config.json'), 'utf8')) as object;
  await writeFile(temporary.path('other', 'adapter_config.json'), JSON.stringify({ ...config, ...change }));
  await expect(readAdapter(temporary.path('other'), base.config, layers)).rejects.toMatchObject({ code: 'UNSUPPORTED', message: expect.stringContaining(sentence) });
});
