import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Encoder } from '../../src/encoder/encoder.ts';
import { attentions, poolings } from '../../src/encoder/settings.ts';
import type { Engine, Program } from '../../src/engine/engine.ts';
import type { TensorData } from '../../src/engine/ops.ts';
import { tensorflowEngine } from '../../src/engine/tensorflow/engine.ts';
import { loadTensorFlow } from '../../src/engine/tensorflow/load.ts';
import { openCheckpoint } from '../../src/models/checkpoint.ts';
import { readSafetensors } from '../../src/models/safetensors.ts';
import type { Checkpoint } from '../../src/models/types.ts';
import { useFolder } from '../models/folder.ts';
import { encodeWith, fixtures, inputOf, readReference, referenceArray, worstDifference } from '../reference.ts';
import { describeWithTensorFlow, tensorflow, tensorflowHome } from './tensorflow-engine.ts';

const llama = join(fixtures, 'llama', 'model');

const float32 = (shape: number[], ...data: number[]): TensorData => ({ type: 'float32', shape, data: Float32Array.from(data) });

describeWithTensorFlow('the llama checkpoint over TensorFlow against PyTorch', () => {
  const reference = readReference('llama');
  let checkpoint: Checkpoint;
  beforeAll(async () => {
    checkpoint = await openCheckpoint(llama);
  });

  test.each(attentions.flatMap((attention) => poolings.map((pooling) => ({ attention, pooling }))))(
    'every layer agrees under $attention attention and $pooling pooling',
    async ({ attention, pooling }) => {
      const options = { attention, pooling, maxLength: reference.max_length, output: 'every' } as const;
      const prepare = (encoder: Encoder) => reference.inputs.map((input) => encoder.prepare(inputOf(input)));
      const ours = await encodeWith(checkpoint, options, prepare, await tensorflow());
      const theirs = await referenceArray('llama', `embeddings.${attention}.${pooling}`);
      expect(worstDifference(ours, theirs, checkpoint.config.hiddenSize)).toBeLessThan(5e-5);
    },
  );
});

describeWithTensorFlow('an executable of TensorFlow', () => {
  const tensors = async () => (await loadTensorFlow({ home: tensorflowHome })).memory().numTensors;

  /** loss = Σ (x wᵀ)², and the rows of a stored tensor that `ids` name. */
  const program = async (): Promise<Program<'x' | 'w' | 'ids', 'loss' | 'rows'>> => ({
    inputs: {
      x: { type: 'float32', shape: ['B', 2] },
      w: { type: 'float32', shape: [3, 2] },
      ids: { type: 'int64', shape: ['B', 'S'] },
    },
    weights: await readSafetensors(join(llama, 'model.safetensors')),
    build: (ops, { x, w, ids }, weight) => {
      const y = ops.linear(x, w);
      return { loss: ops.sum(ops.reshape(ops.mul(y, y), [1, -1])), rows: ops.embedding(weight('model.embed_tokens.weight'), ids) };
    },
  });
  const feeds = {
    x: float32([1, 2], 1, 2),
    w: float32([3, 2], 1, 0, 0, 1, 1, 1),
    ids: { type: 'int64', shape: [1, 1], data: BigInt64Array.of(3n) },
  } satisfies Record<string, TensorData>;

  test('holds no tensor more after 200 runs, forward and backward, and none after it is freed', async () => {
    const engine = await tensorflow();
    const before = await tensors();
    const forward = await engine.compile(await program());
    const backward = await engine.differentiate(await program(), 'loss', ['x', 'w']);
    const runBoth = async () => [await forward.run(feeds), await backward.run(feeds)];
    await runBoth();
    const loaded = await tensors();
    for (let run = 1; run < 200; run++) await runBoth();
    expect(await tensors()).toBe(loaded);
    await forward.dispose();
    await backward.dispose();
    expect(await tensors()).toBe(before);
  });

  test('holds a weight once that several programs use, for as long as one does', async () => {
    const engine = await tensorflow();
    const before = await tensors();
    const [first, second] = [await engine.compile(await program()), await engine.compile(await program())];
    expect(await tensors()).toBe(before + 1);
    await first.dispose();
    expect((await second.run(feeds)).rows.shape).toEqual([1, 1, 64]);
    await second.dispose();
    expect(await tensors()).toBe(before);
  });

  test('gives outputs and gradients of one run, the gradients in the shapes of what they are by', async () => {
    const executable = await (await tensorflow()).differentiate(await program(), 'loss', ['x', 'w']);
    const { loss, 'gradient.x': byX, 'gradient.w': byW } = await executable.run(feeds);
    await executable.dispose();
    // y = (1, 2, 3): the gradient by y is (2, 4, 6).
    expect(loss).toEqual({ shape: [1], data: Float32Array.of(14) });
    expect(byX).toEqual({ shape: [1, 2], data: Float32Array.of(8, 10) });
    expect(byW).toEqual({ shape: [3, 2], data: Float32Array.of(2, 4, 4, 8, 6, 12) });
  });

  test.each([
    ['of another length', { ...feeds, w: float32([2, 2], 1, 2, 3, 4) }, /"w" as float32 \[2,2\] .* float32 \[3,2\]/],
    ['of another rank', { ...feeds, x: float32([2], 1, 2) }, /"x" as float32 \[2\]/],
    ['whose numbers do not fill its shape', { ...feeds, x: float32([1, 2], 1) }, /with 1 numbers/],
    ['whose axis has another length than in another input', { ...feeds, x: float32([2, 2], 1, 2, 3, 4) }, /"ids" as int64 \[1,1\]/],
    ['with an index that no row has', { ...feeds, ids: { type: 'int64', shape: [1, 1], data: BigInt64Array.of(100_000n) } as const }, /100000/],
  ])('refuses an input %s in a sentence with a code', async (_, wrong, sentence) => {
    const before = await tensors();
    const executable = await (await tensorflow()).compile(await program());
    await expect(executable.run(wrong)).rejects.toMatchObject({ code: 'ENGINE', message: expect.stringMatching(sentence) });
    await executable.dispose();
    expect(await tensors()).toBe(before);
  });

  test('says so when it is asked to run after it was freed', async () => {
    const executable = await (await tensorflow()).compile(await program());
    await executable.dispose();
    await expect(executable.run(feeds)).rejects.toMatchObject({ code: 'ENGINE' });
  });

  test('refuses a program whose weights are gone, and holds none of them', async () => {
    const before = await tensors();
    const engine: Engine = await tensorflow();
    const { weights, ...rest } = await program();
    const gone = new Map([...weights].map(([name, tensor]) => [name, { ...tensor, file: '/nowhere/model.safetensors' }]));
    await expect(engine.compile({ ...rest, weights: gone })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await tensors()).toBe(before);
  });
});

describe('TensorFlow that is not installed', () => {
  const folder = useFolder();
  test('is asked for in a sentence that says how to get it', async () => {
    await expect(tensorflowEngine({ home: folder.path() })).rejects.toMatchObject({
      code: 'ENGINE',
      message: expect.stringContaining('l3prune engine install tensorflow'),
    });
  });
});
