import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Triplet } from '../../src/data/triplet.ts';
import { readAdapter, type Adapter } from '../../src/encoder/adapter.ts';
import { Encoder } from '../../src/encoder/encoder.ts';
import { prepareText } from '../../src/encoder/prompt.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { openCheckpoint } from '../../src/models/checkpoint.ts';
import type { Checkpoint } from '../../src/models/types.ts';
import { contrastiveBatch } from '../../src/train/batch.ts';
import { Gradients } from '../../src/train/gradient.ts';
import type { TrainedModel } from '../../src/train/programs.ts';
import { describeWithTensorFlow, tensorflow } from '../engine/tensorflow-engine.ts';
import { engine, fixtures, readReference, tripletsOf } from '../reference.ts';

const reference = readReference('llama');
const layers = reference.lora.prune_to;
const rows = tripletsOf(reference).slice(0, 6);
const scale = 20;

let checkpoint: Checkpoint;
let adapter: Adapter;

beforeAll(async () => {
  checkpoint = await openCheckpoint(join(fixtures, 'llama', 'model'));
  adapter = await readAdapter(join(fixtures, 'llama', 'adapter'), checkpoint.config, layers);
});

const batchOf = (triplets: readonly Triplet[]) => contrastiveBatch(triplets, (input) => prepareText(checkpoint.tokenizer, input, 64), '; ');

async function computed(triplets: readonly Triplet[], options: { runTokens?: number; dropout?: number; seed?: number; attention?: TrainedModel['attention']; precision?: 'float32' | 'int8'; on?: Engine }) {
  const { runTokens = 1e6, dropout = 0, seed = 0, attention = 'causal', precision = 'float32', on = engine } = options;
  const model: TrainedModel = { checkpoint, layers, lora: { ...adapter.lora, dropout }, attention, precision };
  const gradients = new Gradients(on, model, { pooling: 'weighted_mean', scale, runTokens });
  try {
    return await gradients.compute(adapter.parameters, batchOf(triplets), seed);
  } finally {
    await gradients.dispose();
  }
}

type Computed = Awaited<ReturnType<typeof computed>>;

/** The largest difference of a gradient over the largest value of its tensor; 0 where a tensor is 0 in both. */
function worstDifference(a: Computed, b: Computed): number {
  let worst = Math.abs(a.loss / b.loss - 1);
  for (const [name, own] of a.gradients) {
    const other = b.gradients.get(name)!;
    const largest = other.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-12);
    own.forEach((x, i) => (worst = Math.max(worst, Math.abs(x - other[i]!) / largest)));
  }
  return worst;
}

const withNegatives = (count: number): Triplet[] =>
  rows.map((row, i) => ({ ...row, negatives: Array.from({ length: count }, (_, n) => rows[(i + n + 1) % rows.length]!.negatives[0]!) }));

describe('gradient caching', () => {
  const cases = [
    { what: 'in many small runs', runTokens: 40 },
    { what: 'in two runs', runTokens: 200 },
    { what: 'without hard negatives', negatives: 0, runTokens: 60 },
    { what: 'with three hard negatives a row', negatives: 3, runTokens: 90 },
    { what: 'with dropout', runTokens: 60, dropout: 0.2 },
    { what: 'with bidirectional attention', runTokens: 60, attention: 'bidirectional' as const },
  ];
  test.each(cases)('gives the gradients of the whole batch $what', async ({ negatives = 1, ...options }) => {
    const triplets = withNegatives(negatives);
    const cached = await computed(triplets, options);
    expect(worstDifference(cached, await computed(triplets, { ...options, runTokens: 1e6 }))).toBeLessThan(1e-5);
  });

  test('counts the tokens of the texts, not those of its runs', async () => {
    const { tokens } = await computed(rows, { runTokens: 40 });
    const { queries, documents } = batchOf(rows);
    expect(tokens).toBe([...queries, ...documents].reduce((sum, { ids }) => sum + ids.length, 0));
  });
});

describe('the loss of a batch', () => {
  test('takes no document with the text of the own positive for a negative', async () => {
    // Row 1 has the positive of row 0, and row 2 has it as a hard negative.
    const triplets = [rows[0]!, { ...rows[1]!, positive: rows[0]!.positive }, { ...rows[2]!, negatives: [rows[0]!.positive] }];
    const { loss } = await computed(triplets, {});

    const encoder = await Encoder.open(engine, { ...checkpoint, adapter: { ...adapter } }, { layers, attention: 'causal', pooling: 'weighted_mean', output: 'last', maxLength: 64 });
    const { queries, documents } = batchOf(triplets);
    const size = checkpoint.config.hiddenSize;
    const vectors = await encoder.encode([...queries, ...documents]);
    await encoder.dispose();
    const unit = (row: number): number[] => {
      const vector = [...vectors.subarray(row * size, (row + 1) * size)];
      return vector.map((x) => x / Math.hypot(...vector));
    };
    const texts = [...triplets.map((row) => row.positive), ...triplets.flatMap((row) => row.negatives)];
    const losses = triplets.map((row, query) => {
      const exponents = texts.map((text, document) => {
        if (document !== query && text === row.positive) return 0;
        const [q, d] = [unit(query), unit(triplets.length + document)];
        return Math.exp(scale * q.reduce((dot, x, i) => dot + x * d[i]!, 0));
      });
      return -Math.log(exponents[query]! / exponents.reduce((a, b) => a + b, 0));
    });
    expect(loss).toBeCloseTo(losses.reduce((a, b) => a + b, 0) / losses.length, 4);
  });
});

describe('products of whole numbers', () => {
  test('give nearly the loss of float32, and gradients that point where its do', async () => {
    const [rounded, exact] = [await computed(withNegatives(1), { precision: 'int8' }), await computed(withNegatives(1), {})];
    expect(rounded.loss).not.toBe(exact.loss);
    expect(Math.abs(rounded.loss / exact.loss - 1)).toBeLessThan(0.05);
    expect(cosine(all(rounded), all(exact))).toBeGreaterThan(0.95);
  });

  // A number on the border of two steps may be rounded either way where its last bits are others.
  test('give the gradients of the whole batch in runs', async () => {
    const whole = await computed(withNegatives(1), { precision: 'int8' });
    const cached = await computed(withNegatives(1), { precision: 'int8', runTokens: 60 });
    expect(cosine(all(cached), all(whole))).toBeGreaterThan(0.9999);
  });
});

const all = ({ gradients }: Computed): number[] => [...gradients.values()].flatMap((values) => [...values]);

function cosine(a: readonly number[], b: readonly number[]): number {
  return a.reduce((dot, x, i) => dot + x * b[i]!, 0) / Math.hypot(...a) / Math.hypot(...b);
}

describe('dropout', () => {
  test('is decided by the seed', async () => {
    const [a, same, other] = [
      await computed(rows, { dropout: 0.3, seed: 7 }),
      await computed(rows, { dropout: 0.3, seed: 7 }),
      await computed(rows, { dropout: 0.3, seed: 8 }),
    ];
    expect(same).toEqual(a);
    expect(worstDifference(other, a)).toBeGreaterThan(0.01);
  });
});

describeWithTensorFlow('products of whole numbers over TensorFlow', () => {
  test('are those of the first engine', async () => {
    const [second, first] = [await computed(rows, { precision: 'int8', on: await tensorflow() }), await computed(rows, { precision: 'int8' })];
    expect(Math.abs(second.loss / first.loss - 1)).toBeLessThan(1e-3);
    expect(cosine(all(second), all(first))).toBeGreaterThan(0.999);
  });
});

describeWithTensorFlow('dropout over TensorFlow', () => {
  let second: Engine;
  beforeAll(async () => {
    second = await tensorflow();
  });

  test.each([1e6, 60])('is the dropout of the first engine, in runs of %d tokens', async (runTokens) => {
    const settings = { dropout: 0.3, seed: 7, runTokens };
    expect(worstDifference(await computed(rows, { ...settings, on: second }), await computed(rows, settings))).toBeLessThan(1e-4);
  });
});
