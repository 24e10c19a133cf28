import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { beforeAll, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/models/checkpoint.ts';
import { readTensor } from '../../src/models/safetensors.ts';
import type { Checkpoint } from '../../src/models/types.ts';
import { defaultCheckpoint } from '../default-model.ts';

const fixtures = join(import.meta.dirname, '../fixtures/smollm2');
const readJson = (path: string) => JSON.parse(readFileSync(path, 'utf8'));

let folder: string;
let checkpoint: Checkpoint;
beforeAll(async () => {
  folder = await defaultCheckpoint();
  checkpoint = await openCheckpoint(folder);
});

test('the default model is read from its GGUF file with the settings that it has on the hub', () => {
  const { raw: _raw, ...settings } = checkpoint.config;
  expect(settings).toEqual({
    family: 'llama',
    vocabSize: 49_152,
    hiddenSize: 576,
    intermediateSize: 1536,
    numHiddenLayers: 30,
    numAttentionHeads: 9,
    numKeyValueHeads: 3,
    headDim: 64,
    rmsNormEpsilon: Math.fround(1e-5),
    ropeTheta: 100_000,
    ropeScaling: { type: 'default' },
    maxPositionEmbeddings: 8192,
    attentionBias: false,
    mlpBias: false,
  });
});

test('its dequantised tensors have the sums that the gguf package gives', async () => {
  const { tensor_sums: sums } = readJson(join(fixtures, 'reference.json')) as { tensor_sums: Record<string, [number, number]> };
  expect(Object.keys(sums)).toHaveLength(3);
  for (const [name, [sum, absoluteSum]] of Object.entries(sums)) {
    const values = await readTensor(checkpoint.tensors.get(`model.${name}`)!);
    let [total, absolute] = [0, 0];
    for (const value of values) {
      total += value;
      absolute += Math.abs(value);
    }
    // The order of summation is all that differs.
    expect(total).toBeCloseTo(sum, 6);
    expect(absolute / absoluteSum).toBeCloseTo(1, 12);
  }
});

test('its rebuilt tokenizer gives the ids of the original, by our code and by the library alone', () => {
  const library = new Tokenizer(readJson(join(folder, 'tokenizer.json')), readJson(join(folder, 'tokenizer_config.json')));
  const { cases } = readJson(join(fixtures, 'tokenizer_cases.json'));
  expect(cases).toHaveLength(78);
  for (const { text, ids, ids_with_special } of cases) {
    expect(checkpoint.tokenizer.tokenize(text).ids, text).toEqual(ids_with_special);
    expect(library.encode(text, { add_special_tokens: false }).ids, text).toEqual(ids);
  }
});
