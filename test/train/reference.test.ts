import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { prepareText } from '../../src/encoder/prompt.ts';
import { openCheckpoint } from '../../src/models/checkpoint.ts';
import type { Checkpoint } from '../../src/models/types.ts';
import { clipGradients, defaultAdamW, initAdamW, updateAdamW } from '../../src/train/adamw.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { readAdapter, type Adapter } from '../../src/encoder/adapter.ts';
import { contrastiveBatch } from '../../src/train/batch.ts';
import { Gradients } from '../../src/train/gradient.ts';
import { learningRate } from '../../src/train/schedule.ts';
import { describeWithTensorFlow, tensorflow } from '../engine/tensorflow-engine.ts';
import { engine, fixtures, readReference, referenceArray, tripletsOf } from '../reference.ts';

/** The largest absolute difference over the largest value. */
const difference = (a: Float32Array, b: Float32Array): number =>
  a.reduce((worst, x, i) => Math.max(worst, Math.abs(x - b[i]!)), 0) / b.reduce((most, x) => Math.max(most, Math.abs(x)), 0);

const ways = [
  ['in one run', 1e6],
  ['by gradient caching', 64],
] as const;

describe.each(ways)('a LoRA of the llama fixture over ONNX Runtime, computed %s', (_, runTokens) => agreesWithPyTorch(async () => engine, runTokens));

describeWithTensorFlow.each(ways)('a LoRA of the llama fixture over TensorFlow, computed %s', (_, runTokens) => agreesWithPyTorch(tensorflow, runTokens));

function agreesWithPyTorch(openEngine: () => Promise<Engine>, runTokens: number): void {
  const reference = readReference('llama');
  const { lora } = reference;
  const rows = tripletsOf(reference);
  const peft = (name: string) => `base_model.model.${name}.weight`;
  let checkpoint: Checkpoint;
  let adapter: Adapter;
  let gradients: Gradients;
  const batch = (index: number) =>
    contrastiveBatch(rows.slice(index * 4, index * 4 + 4), (input) => prepareText(checkpoint.tokenizer, input, reference.max_length), '; ');

  beforeAll(async () => {
    checkpoint = await openCheckpoint(join(fixtures, 'llama', 'model'));
    adapter = await readAdapter(join(fixtures, 'llama', 'adapter'), checkpoint.config, lora.prune_to);
    const model = { checkpoint, layers: lora.prune_to, lora: adapter.lora, attention: 'causal' as const };
    gradients = new Gradients(await openEngine(), model, { pooling: 'weighted_mean', scale: lora.scale, runTokens });
  });
  afterAll(() => gradients.dispose());

  test('has the gradients that PyTorch computes', async () => {
    const { loss, gradients: found } = await gradients.compute(adapter.parameters, batch(0), 0);
    expect(loss / lora.loss - 1).toBeCloseTo(0, 5);
    let worst = 0;
    for (const [name, gradient] of found) worst = Math.max(worst, difference(gradient, await referenceArray('llama', `grad.${peft(name)}`)));
    expect(worst).toBeLessThan(1e-4);
  });

  test('takes the steps that PyTorch takes', async () => {
    const { lr, warmup, total, clip, steps, weight_decay: weightDecay, loss_after } = lora.adamw;
    let parameters = adapter.parameters;
    let state = initAdamW(parameters);
    for (const [t, step] of steps.entries()) {
      const { loss, gradients: found } = await gradients.compute(parameters, batch(step.batch), 0);
      expect(Math.abs(loss / step.loss - 1)).toBeLessThan(1e-4);
      expect(Math.abs(clipGradients(found, clip) / step.grad_norm - 1)).toBeLessThan(1e-4);
      const rate = learningRate({ lr, warmup, steps: total }, t);
      expect(rate).toBeCloseTo(step.lr, 12);
      ({ parameters, state } = updateAdamW(parameters, found, state, rate, { ...defaultAdamW, weightDecay }));
    }
    const after = await gradients.compute(parameters, batch(0), 0);
    expect(Math.abs(after.loss / loss_after - 1)).toBeLessThan(1e-4);
    let worst = 0;
    for (const [name, tensor] of parameters) worst = Math.max(worst, difference(tensor, await referenceArray('llama', `adamw.${peft(name)}`)));
    expect(worst).toBeLessThan(2e-5);
  });
}
