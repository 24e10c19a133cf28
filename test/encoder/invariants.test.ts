import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Encoder } from '../../src/encoder/encoder.ts';
import { attentions, type Attention } from '../../src/encoder/settings.ts';
import { cosine } from '../../src/eval/cosine.ts';
import { openCheckpoint } from '../../src/models/checkpoint.ts';
import type { Checkpoint } from '../../src/models/types.ts';
import { encodeWith, engine, fixtures, inputOf, readReference, worstDifference } from '../reference.ts';

const reference = readReference('llama');
const texts = [...reference.inputs, ...reference.triplets.flatMap(({ query, positive, negative }) => [query, positive, negative])].map(inputOf);
let checkpoint: Checkpoint;
const open: Encoder[] = [];

async function openEncoder(attention: Attention, precision: 'float32' | 'int8' = 'float32'): Promise<Encoder> {
  const encoder = await Encoder.open(engine, checkpoint, { attention, pooling: 'weighted_mean', maxLength: 96, output: 'last', precision });
  open.push(encoder);
  return encoder;
}

beforeAll(async () => {
  checkpoint = await openCheckpoint(join(fixtures, 'llama', 'model'));
});
afterAll(async () => {
  for (const encoder of open) await encoder.dispose();
});

describe('an encoder', () => {
  test.each(attentions)('gives a text the same vector alone and in any batch (%s)', async (attention) => {
    const encoder = await openEncoder(attention);
    const size = checkpoint.config.hiddenSize;
    const alone: Float32Array[] = [];
    for (const text of texts) alone.push(await encoder.encode([encoder.prepare(text)]));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(texts.length - 1), { minLength: 1, maxLength: 40 }), async (chosen) => {
        const together = await encoder.encode(chosen.map((place) => encoder.prepare(texts[place]!)));
        const expected = new Float32Array(chosen.length * size);
        chosen.forEach((place, i) => expected.set(alone[place]!, i * size));
        expect(worstDifference(together, expected, size)).toBeLessThan(1e-5);
      }),
      { numRuns: 15, seed: 7 },
    );
  });

  test('gives at layer k of one pass what it gives when it has k layers', async () => {
    const prepare = (encoder: Encoder) => texts.map((text) => encoder.prepare(text));
    const every = await encodeWith(checkpoint, { maxLength: 96, output: 'every' }, prepare);
    const share = every.length / checkpoint.config.numHiddenLayers;
    for (let layers = 1; layers <= checkpoint.config.numHiddenLayers; layers++) {
      const cut = await encodeWith(checkpoint, { maxLength: 96, layers, output: 'last' }, prepare);
      expect(worstDifference(cut, every.subarray((layers - 1) * share, layers * share), checkpoint.config.hiddenSize)).toBeLessThan(1e-6);
    }
  });

  test('stays near to itself where most of its products are in 8-bit integers, and is the same alone and in a batch', async () => {
    const size = checkpoint.config.hiddenSize;
    const exact = await openEncoder('causal');
    const rounded = await openEncoder('causal', 'int8');
    const expected = await exact.encode(texts.map((text) => exact.prepare(text)));
    const together = await rounded.encode(texts.map((text) => rounded.prepare(text)));
    const alone = new Float32Array(together.length);
    for (const [i, text] of texts.entries()) alone.set(await rounded.encode([rounded.prepare(text)]), i * size);
    expect(worstDifference(together, alone, size)).toBeLessThan(1e-6);
    const distances = texts.map((_, i) => 1 - cosine(together.subarray(i * size, (i + 1) * size), expected.subarray(i * size, (i + 1) * size)));
    expect(Math.max(...distances)).toBeLessThan(1e-2);
    // Something was rounded.
    expect(Math.max(...distances)).toBeGreaterThan(1e-7);
  });

  test('stops between two runs when it is cancelled', async () => {
    const encoder = await openEncoder('causal');
    const cancel = new AbortController();
    const runs = encoder.runs(texts.map((text) => encoder.prepare(text)), cancel.signal);
    await runs.next();
    cancel.abort();
    await expect(runs.next()).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  test.each([0, 7, 1.5])('refuses a depth of %s layers in one sentence', async (layers) => {
    const options = { attention: 'causal', pooling: 'mean', maxLength: 96, output: 'last', layers } as const;
    await expect(Encoder.open(engine, checkpoint, options)).rejects.toMatchObject({ code: 'USAGE' });
  });

  test('refuses a length that the model cannot read', async () => {
    const options = { attention: 'causal', pooling: 'mean', maxLength: 257, output: 'last' } as const;
    await expect(Encoder.open(engine, checkpoint, options)).rejects.toMatchObject({ code: 'USAGE' });
  });
});
