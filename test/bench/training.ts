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
/** Losses of a step further apart than this, relative, are not the same computation; bfloat16 has three digits, 8 bits two. */
const sameLoss = { float32: 1e-3, bfloat16: 5e-2, int8: 5e-2 } as const;

type Precision = 'float32' | 'bfloat16';
const ourPrecisions = ['float32', 'int8'] as const;
type Side = (typeof ourPrecisions)[number] | `PyTorch ${Precision}`;

/** What is asked of ours beside PyTorch in each precision. */
const asked: Readonly<Record<Precision, string>> = { float32: '≥ 2.00 ×', bfloat16: '≥ 1.00 × without AMX' };

/** Real tokens a second of a training step in both of our precisions, beside PyTorch and PEFT in theirs, and the share of the machine's matrix product. */
export async function trainingThroughput(setup: Setup): Promise<Measure[]> {
  const model = trainedModel(setup);
  const batch = trainingBatch(setup);
  const ours = ourPrecisions.map((precision) => ({ precision, training: new OurTraining(setup.engine, trainedModel(setup, precision), batch) }));
  const product = await openProduct(setup);
  const peers = await openPeers(setup, ours[0]!.training);
  try {
    const lengths = [...batch.queries, ...batch.documents].map(({ ids }) => ids.length);
    const request = requestOf(batch, lengths);
    const seconds = new Map<Side, number[]>();
    const losses = new Map<Side, number[]>();
    const note = (side: Side, measured: { readonly seconds: number; readonly loss: number }): void => {
      seconds.set(side, [...(seconds.get(side) ?? []), measured.seconds]);
      losses.set(side, [...(losses.get(side) ?? []), measured.loss]);
    };
    const products: number[] = [];
    // The first round warms all sides up and does not count.
    for (let round = 0; round <= setup.rounds; round++) {
      for (const { precision, training } of ours) {
        await setTimeout(pauseMilliseconds);
        note(precision, await training.step());
      }
      for (const { precision, process } of peers?.processes ?? []) {
        await setTimeout(pauseMilliseconds);
        note(`PyTorch ${precision}`, await process.ask<{ seconds: number; loss: number }>(request));
      }
      for (let run = 0; run < productRuns / (setup.rounds + 1); run++) products.push(await product.speed());
    }
    checkLosses(losses);

    const tokens = lengths.reduce((sum, length) => sum + length, 0);
    const operations = operationsOfStep(model, lengths);
    const counted = (side: Side): number[] => seconds.get(side)!.slice(1);
    const best = (side: Side): number => Math.min(...counted(side));
    const speed = (side: Side): string => `${(tokens / best(side)).toFixed(0)} (${gigaflops(operations / best(side))} GFLOP/s)`;
    const beside = (own: (typeof ourPrecisions)[number], precision: Precision): Measure => {
      const theirs = `PyTorch ${precision}` as const;
      return {
        what: `training step in ${own}, ${model.layers} layers, LoRA ${training.rank}, batch ${training.rows} × 3: real tokens/s (${tokens} tokens, best of ${setup.rounds} rounds)`,
        ours: speed(own),
        against: peers === undefined ? `missing: ${whyNoPeft()}` : `${speed(theirs)} ${peers.name}, ${precision === 'bfloat16' ? 'bfloat16 autocast' : precision}`,
        ratio: peers === undefined ? '–' : `${times(best(theirs) / best(own))} (median of rounds ${times(median(counted(theirs).map((s, i) => s / counted(own)[i]!)))})`,
        asked: asked[precision],
      };
    };
    const limit = Math.max(...products);
    return [
      ...ourPrecisions.flatMap((own) => [beside(own, 'float32'), beside(own, 'bfloat16')]),
      ...ourPrecisions.map((own) => ({
        what: `the same step in ${own}: GFLOP/s, nothing counted twice`,
        ours: gigaflops(operations / best(own)),
        against: `${gigaflops(limit)} best of ${products.length} runs of float32 products ${productShape}`,
        ratio: `${share(operations / best(own) / limit)} (of medians ${share(operations / median(counted(own)) / median(products))})`,
        asked: '≥ 75 %',
      })),
    ];
  } finally {
    for (const { process } of peers?.processes ?? []) await process.close();
    for (const { training } of ours) await training.dispose();
    await product.dispose();
  }
}

/** All sides take the same steps from the same adapter. Throws where one computes something else than we do in float32. */
function checkLosses(losses: ReadonlyMap<Side, readonly number[]>): void {
  const own = losses.get('float32')!;
  for (const [side, theirs] of losses) {
    const most = sameLoss[side.replace('PyTorch ', '') as keyof typeof sameLoss];
    const at = theirs.findIndex((loss, step) => !(Math.abs(loss / own[step]! - 1) < most));
    if (at >= 0) throw new Error(`${side} computes something else: a loss of ${theirs[at]}, not ${own[at]}.`);
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
