import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { openTrainingData } from '../data/training.ts';
import { errors } from '../errors.ts';
import { reason, removeFolder, writeFileAtomically } from '../files.ts';
import { given } from '../given.ts';
import { acquireLock } from '../lock.ts';
import { parseJson } from '../models/json.ts';
import { openModel, type OpenedModel } from '../models/open.ts';
import { ProgressQueue } from '../prune/progress-queue.ts';
import { depthName, layersToKeep } from '../prune/prune.ts';
import { difference } from './compare-runs.ts';
import { openEvaluation } from './evaluation.ts';
import type { TrainDepth, TrainedCheckpoint, TrainJob, TrainProgress } from './job.ts';
import { runTrainJob, type TrainContext } from './run.ts';
import { defaultTraining, optionOf, type TrainingSettings } from './settings.ts';
import { sweepSvg } from './sweep-svg.ts';

/** The same short training at several depths. */
export interface SweepJob extends Omit<TrainJob, 'depths' | 'force' | 'evaluation'> {
  readonly depths: readonly TrainDepth[];
  readonly evaluation: NonNullable<TrainJob['evaluation']>;
  /** Keep the checkpoints beside what was measured of them. */
  readonly keep?: boolean | undefined;
}

const count = z.number().int().min(0);
const row = z.object({
  layers: count,
  /** What the evaluation said of the cut model as it was, and of the trained one. */
  before: z.number(),
  after: z.number(),
  /** Mean of the last batches. */
  loss: z.number(),
  tokens: z.number(),
  /** Of the training's steps alone. */
  seconds: z.number(),
  /** The most that the process held; null where it was measured by another that was killed. */
  peakBytes: z.number().nullable(),
  /** Encoding and ranking what is evaluated on; null as before. */
  evaluationSeconds: z.number().nullable(),
  parameters: z.number(),
  bytes: z.number(),
});
const schema = z.object({
  format: z.literal(1),
  model: z.object({ name: z.string(), layers: count }),
  metric: z.enum(['loss', 'ndcgAt10']),
  /** What every depth is trained with, by the option that says it, so that no table has rows of two sweeps. */
  asked: z.record(z.string(), z.unknown()),
  rows: z.array(row),
});

/** One depth of a sweep. */
export type SweepRow = z.infer<typeof row>;
/** What a sweep has measured so far, shallow depths first. */
export type Sweep = z.infer<typeof schema>;

export type SweepProgress = TrainProgress | { readonly kind: 'row'; readonly row: SweepRow; readonly done: number; readonly total: number };

export const sweepFiles = { json: 'sweep.json', svg: 'sweep.svg' } as const;
const lockFile = 'lock';

/**
 * Trains at every depth, shallow ones first, and measures each before and after: the paper's claim (its section 4) on
 * one's own data. What is measured is kept after each depth in `sweep.json` and `sweep.svg`; with `resume` depths that
 * are in there are not trained again, and the one that was under way goes on.
 *
 * Errors: EXISTS, BUSY, OTHER_RUN, BAD_MANIFEST, USAGE, those of `runTrainJob`.
 */
export async function* runSweep(job: SweepJob, context: TrainContext): AsyncGenerator<SweepProgress, Sweep> {
  const { depths, keep, ...training } = job;
  const out = resolve(job.out);
  const known = await readSweep(out);
  if (known === undefined) await checkEmpty(out);
  else if (!job.resume) throw errors.exists(`${out} holds a sweep already: go on with it by --resume, or name another folder.`);
  const { home, signal } = context;
  const opening = new ProgressQueue<SweepProgress, OpenedModel>((push) =>
    openModel(job.model, { home, signal, onProgress: ({ what, doneBytes, totalBytes }) => push({ kind: 'model', what, done: doneBytes, total: totalBytes }) }),
  );
  const { checkpoint } = yield* opening.drain();
  const model = { name: checkpoint.name, layers: checkpoint.config.numHiddenLayers };
  const layers = [...new Set(depths.map((depth) => keptLayers(depth, model.layers)))].sort((a, b) => a - b);
  const asked = { 'the model': await checkpoint.fingerprint(), ...(await askedOf(job, signal)) };
  if (known !== undefined) checkSameSweep(out, known.asked, asked);

  await mkdir(out, { recursive: true }).catch((error: unknown) => {
    throw errors.writeFailed(`${out} cannot be written: ${reason(error)}.`, error);
  });
  const release = await acquireLock(join(out, lockFile), (pid) => errors.busy(`Another process (${pid}) is sweeping in ${out}: wait for it, or name another folder.`));
  try {
    let sweep: Sweep = known ?? { format: 1, model, metric: 'ndcgAt10', asked, rows: [] };
    await writeSweep(out, sweep);
    for (const depth of layers) {
      if (sweep.rows.some((row) => row.layers === depth)) continue;
      const kept = { kind: 'layers', layers: depth } as const;
      const folder = join(out, depthName(kept));
      const { row, metric } = yield* measureDepth({ ...training, out: folder, depths: [kept], resume: true }, context);
      sweep = { ...sweep, metric, rows: [...sweep.rows, row].toSorted((a, b) => a.layers - b.layers) };
      await writeSweep(out, sweep);
      if (!keep) await removeFolder(folder);
      yield { kind: 'row', row, done: sweep.rows.length, total: layers.length };
    }
    return sweep;
  } finally {
    await release();
  }
}

/** What decides the numbers of a sweep beside its model, by the option that says it. Errors: those of opening the data. */
async function askedOf({ data: locations, settings = {}, instruction, adapter, evaluation }: SweepJob, signal: AbortSignal): Promise<Record<string, unknown>> {
  const { batchSize, seed, order } = { ...defaultTraining, ...given(settings) };
  const data = await openTrainingData(locations, { batchSize, seed, order, instruction, signal });
  const measured = await openEvaluation(evaluation.data, { batchSize, instruction, signal });
  await data.close();
  await measured.close();
  const bySetting = Object.entries(settings).map(([name, value]) => [optionOf(name as keyof TrainingSettings), value] as const);
  return {
    '--data': data.fingerprint,
    '--eval': measured.fingerprint,
    '--eval-every': evaluation.every,
    '--early-stop': evaluation.earlyStop,
    '--instruction': instruction,
    '--adapter': adapter,
    ...Object.fromEntries(bySetting),
  };
}

/** Errors: OTHER_RUN with all that differs. */
function checkSameSweep(out: string, was: Readonly<Record<string, unknown>>, asked: Readonly<Record<string, unknown>>): void {
  const differs = [...new Set([...Object.keys(was), ...Object.keys(asked)])].filter((what) => JSON.stringify(was[what] ?? null) !== JSON.stringify(asked[what] ?? null));
  if (differs.length === 0) return;
  const sentences = differs.map((what) => difference(what, was[what] ?? null, asked[what] ?? null));
  throw errors.otherRun(`The sweep in ${out} is another one: ${sentences.join('; ')}. Ask for it as it was begun, or name another folder.`);
}

/** Trains at one depth, and watches what that takes. */
async function* measureDepth(job: TrainJob, context: TrainContext): AsyncGenerator<SweepProgress, { readonly row: SweepRow; readonly metric: Sweep['metric'] }> {
  let peakBytes: number | null = null;
  let evaluationSeconds: number | null = null;
  const running = runTrainJob(job, context);
  let step = await running.next();
  for (; !step.done; step = await running.next()) {
    const { value } = step;
    if (value.kind === 'step') peakBytes = Math.max(peakBytes ?? 0, value.bytes);
    if (value.kind === 'evaluated') evaluationSeconds = value.seconds;
    yield value;
  }
  const [{ layersKept, evaluation, loss, tokens, seconds, parameters, bytes }] = step.value.checkpoints as readonly [TrainedCheckpoint];
  const { metric, before, best } = evaluation!;
  return { metric, row: { layers: layersKept, before, after: best.value, loss: loss.last, tokens, seconds, peakBytes, evaluationSeconds, parameters, bytes } };
}

/** Errors: USAGE. */
function keptLayers(depth: TrainDepth, layers: number): number {
  if (depth.kind === 'small' || depth.kind === 'large') throw errors.usage(`A sweep goes through depths that are said: counts of layers, percentages or all, not ${depth.kind}.`);
  return depth.kind === 'all' ? layers : layersToKeep(depth, layers, null);
}

/** Throws EXISTS where the folder holds anything. */
async function checkEmpty(out: string): Promise<void> {
  const names = await readdir(out).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw errors.exists(`${out} cannot be swept in: ${reason(error)}.`, error);
  });
  if (names.some((name) => name !== lockFile)) throw errors.exists(`${out} holds other things than a sweep and is left alone: name another folder.`);
}

async function writeSweep(out: string, sweep: Sweep): Promise<void> {
  await writeFileAtomically(join(out, sweepFiles.json), `${JSON.stringify(sweep, null, 2)}\n`);
  if (sweep.rows.length > 0) await writeFileAtomically(join(out, sweepFiles.svg), sweepSvg(sweep));
}

/** The sweep in a folder. Errors: BAD_MANIFEST. */
async function readSweep(out: string): Promise<Sweep | undefined> {
  const path = join(out, sweepFiles.json);
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return schema.parse(parseJson(text));
  } catch (error) {
    throw errors.badManifest(`${path} is damaged: name another folder.`, error);
  }
}
