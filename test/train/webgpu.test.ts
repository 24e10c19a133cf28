import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { readAdapter, type Adapter } from '../../src/encoder/adapter.ts';
import { loraModules } from '../../src/encoder/lora.ts';
import { prepareText } from '../../src/encoder/prompt.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { openCheckpoint } from '../../src/models/checkpoint.ts';
import type { Checkpoint } from '../../src/models/types.ts';
import { Random } from '../../src/random.ts';
import { defaultAdamW, initAdamW, updateAdamW } from '../../src/train/adamw.ts';
import { contrastiveBatch } from '../../src/train/batch.ts';
import { Gradients } from '../../src/train/gradient.ts';
import { initLora } from '../../src/train/init.ts';
import { describeWithWebGpu, webgpu } from '../engine/webgpu-device.ts';
import { encodeWith, engine, fixtures, readReference, referenceArray, tripletsOf, worstDifference } from '../reference.ts';

const reference = readReference('llama');
const { lora } = reference;

describeWithWebGpu('the llama fixture on a GPU', () => {
  let checkpoint: Checkpoint;
  let adapter: Adapter;

  beforeAll(async () => {
    checkpoint = await openCheckpoint(join(fixtures, 'llama', 'model'));
    adapter = await readAdapter(join(fixtures, 'llama', 'adapter'), checkpoint.config, lora.prune_to);
  });

  const gradientsOf = (on: Engine, layers: number) =>
    new Gradients(on, { checkpoint, layers, lora: adapter.lora, attention: 'causal' }, { pooling: 'weighted_mean', scale: lora.scale, runTokens: 1e6 });
  const batchOf = (rows: number) =>
    contrastiveBatch(tripletsOf(reference).slice(0, rows), (input) => prepareText(checkpoint.tokenizer, input, reference.max_length), '; ');

  // A GPU in software takes a minute for what a real one does in a moment.
  const timeout = 540_000;

  test('has the embeddings that the CPU computes', { timeout }, async () => {
    const texts = batchOf(2).queries;
    const encode = (on: Engine) => encodeWith(checkpoint, { maxLength: reference.max_length, layers: 2, output: 'every' }, () => [...texts], on);
    expect(worstDifference(await encode(webgpu), await encode(engine), checkpoint.config.hiddenSize)).toBeLessThan(1e-5);
  });

  test('has the gradients that PyTorch computes', { timeout }, async () => {
    const gradients = gradientsOf(webgpu, lora.prune_to);
    const { loss, gradients: found } = await gradients.compute(adapter.parameters, batchOf(4), 0);
    await gradients.dispose();
    expect(Math.abs(loss / lora.loss - 1)).toBeLessThan(1e-5);
    for (const [name, gradient] of found) {
      const expected = await referenceArray('llama', `grad.base_model.model.${name}.weight`);
      expect(worstDifference(gradient, expected, expected.length), name).toBeLessThan(1e-4);
    }
  });

  test('is trained with the losses that the CPU has', { timeout }, async () => {
    const losses = async (on: Engine): Promise<number[]> => {
      const gradients = gradientsOf(on, 1);
      let parameters = initLora(loraModules(checkpoint.config, 1, adapter.lora.targets), adapter.lora.rank, Random.fromSeed(1));
      let state = initAdamW(parameters);
      const found: number[] = [];
      for (let step = 0; step < 4; step++) {
        const { loss, gradients: byParameter } = await gradients.compute(parameters, batchOf(2), 0);
        found.push(loss);
        ({ parameters, state } = updateAdamW(parameters, byParameter, state, 2e-2, defaultAdamW));
      }
      await gradients.dispose();
      return found;
    };
    const [onGpu, onCpu] = [await losses(webgpu), await losses(engine)];
    expect(onCpu.at(-1)!).toBeLessThan(0.9 * onCpu[0]!);
    onGpu.forEach((loss, step) => expect(Math.abs(loss / onCpu[step]! - 1), `step ${step}`).toBeLessThan(1e-4));
  });
});
