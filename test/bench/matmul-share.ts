import { join } from 'node:path';
import type { Encoder } from '../../src/encoder/encoder.ts';
import type { EncoderText } from '../../src/encoder/prompt.ts';
import { readSafetensors } from '../../src/models/safetensors.ts';
import { float32Source, writeSafetensors } from '../../src/models/tensor-data.ts';
import { Random } from '../../src/random.ts';
import { gigaflops, median, share, type Measure } from './report.ts';
import { operationsOfText, settings, withEncoder, type Setup } from './setup.ts';

/** A product of the shape that SmolLM2's MLP has over a long batch: [m,k] times [k,n]. */
const [m, k, n] = [4096, 576, 1536];
export const productShape = `${m} × ${k} × ${n}`;
/** As many in one run of the engine, with a weight each: its start and the memory of its results would slow a single one. */
const productsPerRun = 4;
const rounds = 20;
const textsPerRound = 4;

/**
 * Float operations a second in the forward pass of full batches, against the best of 20 runs of matrix products with
 * constant weights under the same session options, in turn. Counted are 2mnk of the linear layers and of attention.
 */
export async function matmulShare(setup: Setup): Promise<Measure> {
  const { config } = setup.checkpoint;
  const product = await openProduct(setup);
  const products: number[] = [];
  const passes: number[] = [];
  await withEncoder(setup, { ...settings, output: 'last' }, async (encoder) => {
    const texts = fullTexts(encoder, setup);
    await timeRuns(encoder, texts);
    for (let round = 0; round < rounds; round++) {
      products.push(await product.speed());
      passes.push(...(await timeRuns(encoder, texts)));
    }
  });
  await product.dispose();
  const [best, limit] = [Math.max(...passes), Math.max(...products)];
  return {
    what: `forward pass of a full batch, ${config.numHiddenLayers} layers, ${settings.maxLength} tokens a text: GFLOP/s`,
    ours: gigaflops(best),
    against: `${gigaflops(limit)} best of ${rounds} runs of products ${productShape}`,
    ratio: `${share(best / limit)} (of medians ${share(median(passes) / median(products))})`,
    asked: '≥ 80 %',
  };
}

/** The products alone; of their results only the sums of rows leave the engine, so that no copy is timed. */
export async function openProduct({ engine, scratch }: Setup) {
  const random = Random.fromSeed(1);
  const values = (count: number): Float32Array => Float32Array.from({ length: count }, () => random.float() - 0.5);
  const file = join(scratch, 'product.safetensors');
  const names = Array.from({ length: productsPerRun }, (_, i) => `weight${i}`);
  await writeSafetensors(file, names.map((name) => float32Source(name, [k, n], values(k * n))));
  const executable = await engine.compile<'x', string>({
    inputs: { x: { type: 'float32', shape: [m, k] } },
    weights: await readSafetensors(file),
    build: (ops, { x }, weight) => Object.fromEntries(names.map((name) => [`sums_${name}`, ops.sum(ops.matmul(x, weight(name)))])),
  });
  const x = { type: 'float32', data: values(m * k), shape: [m, k] } as const;
  return {
    /** Float operations a second of one run. */
    async speed(): Promise<number> {
      const start = performance.now();
      await executable.run({ x });
      return (productsPerRun * 2 * m * n * k) / ((performance.now() - start) / 1000);
    },
    dispose: () => executable.dispose(),
  };
}

/** Texts that fill the length exactly, so that no batch of them has padding. */
function fullTexts(encoder: Encoder, { triplets }: Setup): EncoderText[] {
  const everything = triplets.map(({ positive }) => positive).join('\n');
  const step = Math.floor(everything.length / (textsPerRound + 1));
  return Array.from({ length: textsPerRound }, (_, i) => {
    const text = encoder.prepare({ text: everything.slice(i * step) });
    if (text.ids.length < settings.maxLength) throw new Error('The data is too small for a full batch: give more with --data.');
    return text;
  });
}

/** Float operations a second of every run. */
async function timeRuns(encoder: Encoder, texts: readonly EncoderText[]): Promise<number[]> {
  const { config } = encoder.checkpoint;
  const speeds: number[] = [];
  const runs = encoder.runs(texts);
  for (;;) {
    const start = performance.now();
    const step = await runs.next();
    if (step.done) return speeds;
    const seconds = (performance.now() - start) / 1000;
    speeds.push((step.value.texts.length * operationsOfText(config, config.numHiddenLayers, settings.maxLength)) / seconds);
  }
}
