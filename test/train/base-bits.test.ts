import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readAdapter } from '../../src/encoder/adapter.ts';
import { prepareText } from '../../src/encoder/prompt.ts';
import { openCheckpoint } from '../../src/models/checkpoint.ts';
import { quantize4, quantize8, quantizeBase } from '../../src/models/quantize.ts';
import { float32Source, readSafetensors, readTensor, writeSafetensors } from '../../src/models/safetensors.ts';
import type { BaseBits, Checkpoint, StoredTensor } from '../../src/models/types.ts';
import { Random } from '../../src/random.ts';
import { contrastiveBatch } from '../../src/train/batch.ts';
import { Gradients } from '../../src/train/gradient.ts';
import { useFolder } from '../models/folder.ts';
import { engine, fixtures, readReference, tripletsOf, worstDifference } from '../reference.ts';

const folder = useFolder();
const reference = readReference('llama');
const layers = 2;
const allBits: readonly BaseBits[] = [8, 4];

const open = () => openCheckpoint(join(fixtures, 'llama', 'model'));
const quantize = async (bits: BaseBits): Promise<Checkpoint> => quantizeBase(await open(), { layers, bits, file: folder.path('base.bin') });

/** What the definition says of a projection in so many bits, [out,in]. */
function rounded(weights: Float32Array, bits: BaseBits, rowLength: number): Float32Array {
  const block = bits === 4 && rowLength % 32 === 0 ? 32 : rowLength;
  const out = new Float32Array(weights.length);
  for (let from = 0; from < weights.length; from += block) {
    const numbers = weights.subarray(from, from + block);
    const least = bits === 4 ? Math.min(...numbers) : 0;
    const scale = Math.fround(bits === 4 ? (Math.max(...numbers) - least) / 15 : Math.max(...numbers.map(Math.abs)) / 127);
    out.set(numbers.map((w) => least + scale * Math.round((w - least) / scale)), from);
  }
  return out;
}

/** The checkpoint with the rounded weights as float32. */
async function roundedCheckpoint(bits: BaseBits): Promise<Checkpoint> {
  const checkpoint = await open();
  const source = async (tensor: StoredTensor) => {
    const weights = await readTensor(tensor);
    return float32Source(tensor.name, tensor.shape, tensor.name.endsWith('_proj.weight') ? rounded(weights, bits, tensor.shape[1]!) : weights);
  };
  await writeSafetensors(folder.path('rounded.safetensors'), await Promise.all([...checkpoint.tensors.values()].map(source)));
  return { ...checkpoint, tensors: await readSafetensors(folder.path('rounded.safetensors')) };
}

describe.each(allBits)('a base in %i bits', (bits) => {
  test.each([
    ['without dropout', 0],
    ['with dropout', 0.1],
  ])('gives loss and gradients of the rounded weights in float32, %s', async (_, dropout) => {
    const { lora, parameters } = await readAdapter(join(fixtures, 'llama', 'adapter'), (await open()).config, reference.lora.prune_to);
    const compute = async (checkpoint: Checkpoint) => {
      const gradients = new Gradients(engine, { checkpoint, layers, lora: { ...lora, dropout }, attention: 'causal' }, { pooling: 'weighted_mean', scale: 20, runTokens: 1e6 });
      const batch = contrastiveBatch(tripletsOf(reference).slice(0, 4), (input) => prepareText(checkpoint.tokenizer, input, reference.max_length), '; ');
      const found = await gradients.compute(parameters, batch, 7);
      await gradients.dispose();
      return found;
    };
    const [inBits, inFloat] = [await compute(await quantize(bits)), await compute(await roundedCheckpoint(bits))];
    expect(Math.abs(inBits.loss / inFloat.loss - 1)).toBeLessThan(1e-5);
    for (const [name, gradient] of inBits.gradients) {
      const expected = inFloat.gradients.get(name)!;
      expect(worstDifference(gradient, expected, expected.length), name).toBeLessThan(1e-4);
    }
  });

  test('is written once', async () => {
    await quantize(bits);
    const first = await stat(folder.path('base.bin'));
    await quantize(bits);
    expect((await stat(folder.path('base.bin'))).ino).toBe(first.ino);
  });

  test('leaves the weights alone that are merged and written', async () => {
    const [plain, quantized] = [await open(), await quantize(bits)];
    expect(quantized.tensors).toEqual(plain.tensors);
  });
});

test('weights on sixteen steps a block of 32, as GGUF’s Q4_1 has them, keep their values in 4 bits', () => {
  const random = Random.fromSeed(5);
  const weights = new Float32Array(64 * 32);
  for (let block = 0; block < 64; block++) {
    const [d, m] = [2 ** -8 * (1 + random.float()), random.float() - 0.5];
    // Q4_1 places least and largest at 0 and 15.
    for (let i = 0; i < 32; i++) weights[block * 32 + i] = m + d * (i < 2 ? 15 * i : Math.floor(16 * random.float()));
  }
  const { quants, scales, minimums } = quantize4(weights, 32);
  weights.forEach((weight, i) => {
    const q = (quants[i >> 1]! >> (i % 2 === 0 ? 0 : 4)) & 15;
    expect(Math.abs(scales[i >> 5]! * q + minimums![i >> 5]! - weight)).toBeLessThan(1e-6);
  });
});

test('a row of zeros stays one in 8 bits', () => {
  const { quants, scales } = quantize8(new Float32Array(8), 4);
  expect([[...quants], [...scales]]).toEqual([[0, 0, 0, 0, 0, 0, 0, 0], [0, 0]]);
});
