import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { Engine } from '../../src/engine/engine.ts';
import { openCheckpoint } from '../../src/models/checkpoint.ts';
import type { Checkpoint } from '../../src/models/types.ts';
import { trainSteps } from '../../src/train/loop.ts';
import { defaultTraining, type TrainingSettings } from '../../src/train/settings.ts';
import { describeWithTensorFlow, tensorflow } from '../engine/tensorflow-engine.ts';
import { engine, fixtures, readReference, tripletsOf } from '../reference.ts';

const reference = readReference('llama');
const rows = tripletsOf(reference);
const settings: TrainingSettings = { ...defaultTraining, layers: 3, dropout: 0.1, lr: 5e-3, warmup: 2, steps: 12, batchSize: 4, scale: reference.lora.scale, maxLength: reference.max_length };

describeWithTensorFlow('a short training of the llama fixture, with dropout', () => {
  let checkpoint: Checkpoint;
  beforeAll(async () => {
    checkpoint = await openCheckpoint(join(fixtures, 'llama', 'model'));
  });

  /** Losses and gradient norms of every step, and the adapter that came of them. */
  async function trained(on: Engine, runTokens: number, changed: Partial<TrainingSettings> = {}) {
    const batches = async (step: number) => Array.from({ length: settings.batchSize }, (_, i) => rows[(step * settings.batchSize + i) % rows.length]!);
    const numbers: number[] = [];
    let adapter: Float32Array[] = [];
    for await (const { metrics, state } of trainSteps(on, checkpoint, batches, { ...settings, ...changed }, { runTokens })) {
      numbers.push(metrics.loss, metrics.gradNorm);
      adapter = [...state.parameters.values()];
    }
    return { numbers, adapter };
  }

  test.each([
    ['in one run', 1e6],
    ['by gradient caching', 200],
  ])('has the losses, gradients and adapter of ONNX Runtime, computed %s', async (_, runTokens) => {
    const [ours, theirs] = [await trained(engine, 1e6), await trained(await tensorflow(), runTokens)];
    expect(theirs.numbers).toHaveLength(2 * settings.steps);
    ours.numbers.forEach((number, i) => expect(Math.abs(theirs.numbers[i]! / number - 1)).toBeLessThan(1e-3));
    const [square, error] = [0, 1].map((which) =>
      ours.adapter.reduce((sum, tensor, at) => sum + tensor.reduce((part, x, i) => part + (which === 0 ? x : x - theirs.adapter[at]![i]!) ** 2, 0), 0),
    ) as [number, number];
    expect(Math.sqrt(error / square)).toBeLessThan(1e-2);
    // It learns: the rows come round every few steps.
    expect(theirs.numbers.at(-2)).toBeLessThan(0.8 * theirs.numbers[0]!);
  });

  test('has the same numbers again with the same seed, and others with another', async () => {
    const on = await tensorflow();
    const [once, again, other] = [await trained(on, 1e6, { steps: 3 }), await trained(on, 1e6, { steps: 3 }), await trained(on, 1e6, { steps: 3, seed: 43 })];
    // TensorFlow may add up in another order each time.
    once.numbers.forEach((number, i) => expect(Math.abs(again.numbers[i]! / number - 1)).toBeLessThan(1e-5));
    // A new adapter changes nothing, whatever is dropped of it; later steps differ.
    expect(Math.abs(other.numbers.at(-2)! / once.numbers.at(-2)! - 1)).toBeGreaterThan(1e-4);
  });
});
