import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { Encoder } from '../../src/encoder/encoder.ts';
import { attentions, poolings } from '../../src/encoder/settings.ts';
import { openCheckpoint } from '../../src/models/checkpoint.ts';
import type { Checkpoint } from '../../src/models/types.ts';
import { defaultCheckpoint, describeWithModel } from '../default-model.ts';
import { encodeWith, engine, fixtures, inputOf, readReference, referenceArray, worstDifference } from '../reference.ts';

/** What the reference says a float32 implementation should meet. */
const tolerance = 5e-5;

describe('the llama checkpoint against PyTorch', () => {
  const reference = readReference('llama');
  const { max_length: maxLength } = reference;
  let checkpoint: Checkpoint;
  beforeAll(async () => {
    checkpoint = await openCheckpoint(join(fixtures, 'llama', 'model'));
  });

  test.each(attentions.flatMap((attention) => poolings.map((pooling) => ({ attention, pooling }))))(
    'every layer agrees under $attention attention and $pooling pooling',
    async ({ attention, pooling }) => {
      const ours = await encodeWith(checkpoint, { attention, pooling, maxLength, output: 'every' }, (encoder) =>
        reference.inputs.map((input) => encoder.prepare(inputOf(input))),
      );
      const theirs = await referenceArray('llama', `embeddings.${attention}.${pooling}`);
      expect(worstDifference(ours, theirs, checkpoint.config.hiddenSize)).toBeLessThan(tolerance);
    },
  );

  test('ids, spans and pooled tokens agree for every input', async () => {
    const encoder = await Encoder.open(engine, checkpoint, { attention: 'causal', pooling: 'mean', maxLength, output: 'last' });
    for (const input of reference.inputs) {
      const { ids, spans, pooled } = encoder.prepare(inputOf(input));
      expect({ ids, spans, pooled: [...pooled] }).toEqual({ ids: input.ids, spans: input.spans, pooled: input.pooled_mask });
    }
    await encoder.dispose();
  });

  test('a text with nothing to pool is an error, never an average of padding', async () => {
    const encoder = await Encoder.open(engine, checkpoint, { attention: 'causal', pooling: 'mean', maxLength, output: 'last' });
    for (const input of reference.empty) {
      expect(() => encoder.prepare(inputOf(input))).toThrow(expect.objectContaining({ code: 'NOTHING_TO_POOL' }));
    }
    await encoder.dispose();
  });
});

describeWithModel('SmolLM2-135M-Instruct in Q4_1 against PyTorch', () => {
  test('all 30 layers agree', async () => {
    const reference = readReference('smollm2');
    const checkpoint = await openCheckpoint(await defaultCheckpoint());
    const ours = await encodeWith(checkpoint, { maxLength: reference.max_length, output: 'every' }, (encoder) =>
      reference.inputs.map((input) => encoder.prepare(inputOf(input))),
    );
    const theirs = await referenceArray('smollm2', 'embeddings.causal.weighted_mean');
    expect(worstDifference(ours, theirs, checkpoint.config.hiddenSize)).toBeLessThan(2e-5);
  });
});
