import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { writeAdapter } from '../../src/encoder/adapter.ts';
import type { ContrastiveBatch } from '../../src/train/batch.ts';
import { planGroups } from '../../src/train/groups.ts';
import { modulesOf } from '../../src/train/programs.ts';
import { openProduct, productShape } from './matmul-share.ts';
import { PythonProcess, whyNoPython } from './python.ts';
import { gigaflops, median, share, times, type Measure } from './report.ts';
import { bucketOf, pauseMilliseconds, type Setup } from './setup.ts';
import { operationsOfStep, OurTraining, trainedModel, training, trainingBatch } from './train-setup.ts';

/** Buckets that PyTorch pads separately: as many as our runs compute attention in. */
const buckets = 4;
/** Runs of matrix products that the limit is the best of. */
const productRuns = 20;
/** Losses of a step further apart than this, relative, are not the same computation; bfloat16 has three digits. */
const sameLoss = { float32: 1e-3, bfloat16: 5e-2 } as const;

type Precision = keyof typeof sameLoss;

/** Real tokens a second of a training step, beside PyTorch and PEFT, and the share that it has of the machine's matrix product. */
export async function trainingThroughput(setup: Setup): Promise<Measure[]> {
  const model = trainedModel(setup);
  const batch = trainingBatch(setup);
  const ours = new OurTraining(setup.engine, model, batch);
  const product = await openProduct(setup);
  const peers = await openPeers(setup, ours);
  try {
    const lengths = [...batch.queries, ...batch.documents].map(({ ids }) => ids.length);
    const request = requestOf(batch, lengths);
    const seconds = { ours: [] as number[], float32: [] as number[], bfloat16: [] as number[] };
    const products: number[] = [];
    // The first round warms all sides up and does not count.
    for (let round = 0; round <= setup.rounds; round++) {
      await setTimeout(pauseMilliseconds);
      const own = await ours.step();
      seconds.ours.push(own.seconds);
      for (const { precision, process } of peers?.processes ?? []) {
        await setTimeout(pauseMilliseconds);
        const { seconds: theirs, loss } = await process.ask<{ seconds: number; loss: number }>(request);
        seconds[precision].push(theirs);
        if (!(Math.abs(loss / own.loss - 1) < sameLoss[precision])) throw new Error(`PyTorch computes something else in ${precision}: a loss of ${loss}, not ${own.loss}.`);
      }
      for (let run = 0; run < productRuns / (setup.rounds + 1); run++) products.push(await product.speed());
    }
    const tokens = lengths.reduce((sum, length) => sum + length, 0);
    const operations = operationsOfStep(model, lengths);
    const counted = (side: keyof typeof seconds): number[] => seconds[side].slice(1);
    const speed = (side: keyof typeof seconds): string => `${(tokens / Math.min(...counted(side))).toFixed(0)} (${gigaflops(operations / Math.min(...counted(side)))} GFLOP/s)`;
    const what = `training step, ${model.layers} layers, LoRA ${training.rank}, batch ${training.rows} × 3: real tokens/s (${tokens} tokens, best of ${setup.rounds} rounds)`;
    const beside = (precision: Precision, asked: string): Measure => ({
      what,
      ours: speed('ours'),
      against: peers === undefined ? `missing: ${whyNoPeft()}` : `${speed(precision)} ${peers.name}, ${precision === 'bfloat16' ? 'bfloat16 autocast' : precision}`,
      ratio:
        peers === undefined
          ? '–'
          : `${times(Math.min(...counted(precision)) / Math.min(...counted('ours')))} (median of rounds ${times(median(counted(precision).map((s, i) => s / counted('ours')[i]!)))})`,
      asked,
    });
    const limit = Math.max(...products);
    return [
      beside('float32', '≥ 2.00 ×'),
      beside('bfloat16', '≥ 1.00 × without AMX'),
      {
        what: 'the same step: GFLOP/s, nothing counted twice',
        ours: gigaflops(operations / Math.min(...counted('ours'))),
        against: `${gigaflops(limit)} best of ${products.length} runs of products ${productShape}`,
        ratio: `${share(operations / Math.min(...counted('ours')) / limit)} (of medians ${share(operations / median(counted('ours')) / median(products))})`,
        asked: '≥ 75 %',
      },
    ];
  } finally {
    for (const { process } of peers?.processes ?? []) await process.close();
    await ours.dispose();
    await product.dispose();
  }
}

const whyNoPeft = (): string | undefined => whyNoPython(['torch', 'transformers', 'peft']);

/** PyTorch in both precisions, with the adapter that we begin with; undefined where it is not there. */
async function openPeers(setup: Setup, ours: OurTraining) {
  if (whyNoPeft() !== undefined) return undefined;
  const model = trainedModel(setup);
  const adapter = join(setup.scratch, 'adapter');
  await mkdir(adapter);
  await writeAdapter(adapter, { lora: model.lora, modules: modulesOf(model), parameters: ours.parameters }, setup.checkpoint.directory);
  const { scale, lr, clip } = training;
  const request = { load: setup.checkpoint.directory, adapter, layers: model.layers, threads: setup.threads, scale, lr, clip };
  const processes: { precision: Precision; process: PythonProcess }[] = [];
  let name = '';
  for (const precision of ['float32', 'bfloat16'] as const) {
    const process = new PythonProcess('train-peer.py');
    ({ name } = await process.ask<{ name: string }>({ ...request, bfloat16: precision === 'bfloat16' }));
    processes.push({ precision, process });
  }
  return { name, processes };
}

function requestOf({ queries, documents, negatives }: ContrastiveBatch, lengths: readonly number[]): object {
  const texts = [...queries, ...documents];
  const groups = planGroups(lengths, buckets);
  const rowOf = new Map(groups.flat().map((place, row) => [place, row]));
  return {
    buckets: groups.map((group) => bucketOf(group.map((place) => texts[place]!))),
    queries: queries.map((_, query) => rowOf.get(query)),
    documents: documents.map((_, document) => rowOf.get(queries.length + document)),
    bias: queries.map((_, query) => [...negatives.subarray(query * documents.length, (query + 1) * documents.length)]),
  };
}
