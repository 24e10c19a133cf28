import { join } from 'node:path';
import { announcingSteps, computingFolder } from '../announce.ts';
import { withAdapter } from '../encoder/adapted.ts';
import type { Calibration } from '../encoder/calibration.ts';
import { prepareText } from '../encoder/prompt.ts';
import { errors } from '../errors.ts';
import { writeFileAtomically } from '../files.ts';
import { availableBytes } from '../memory.ts';
import { quantizeBase } from '../models/quantize.ts';
import type { Checkpoint } from '../models/types.ts';
import type { LossCurve } from '../prune/curve.ts';
import { calibrateAt, calibrationRequest, checkCalibrationRows, type CalibrationRequest } from '../prune/measure-calibration.ts';
import { ProgressQueue } from '../prune/progress-queue.ts';
import { depthName, layersToKeep } from '../prune/prune.ts';
import { createdBy } from '../version.ts';
import { checkSameCheckpoint, checkSameRun, type AskedRun } from './compare-runs.ts';
import { openEvaluation, type EvaluationData } from './evaluation.ts';
import type { TrainDepth, TrainedCheckpoint, TrainJob, TrainProgress, TrainResult } from './job.ts';
import { checkRunTokens, planRunTokens } from './plan.ts';
import {
  askedDevice,
  askedEngine,
  checkJob,
  dataOf,
  modelOf,
  parametersFor,
  prepareTraining,
  profileData,
  resolvedDepth,
  type EarlierRun,
  type PreparedTraining,
  type TrainContext,
} from './prepare.ts';
import { firstRows, longestText } from './read-data.ts';
import { RunFolder, type RunDescription } from './run-folder.ts';
import { loraOf, type TrainingSettings } from './settings.ts';
import { adapterFingerprint, recordOf } from './summary.ts';
import { trainRun } from './train.ts';
import { withSomethingToPool } from './usable-rows.ts';
import { trainedCheckpoint, writeTrained } from './write.ts';

export type { TrainContext };

/** One checkpoint to train: where, and how deep. */
interface Target {
  readonly folder: RunFolder;
  readonly depth: TrainDepth;
}

/** What all checkpoints of a job are trained with. */
interface Shared extends PreparedTraining {
  readonly evaluation: EvaluationData | undefined;
  readonly calibration: CalibrationRequest | undefined;
}

/** Steps between two saves, where nobody says. */
export const defaultSaveEvery = 200;
/** Evaluations in a run whose job does not say how often. */
const evaluations = 10;
/** Rows that a calibration is drawn from. */
const calibrationRows = 1024;

/**
 * The whole job: gets the model, reads the data, profiles it where a depth is read from the curve, trains at every depth
 * asked for, and leaves a checkpoint folder each. A folder has its run until its checkpoint stands in the run's place;
 * after a failure or a cancel the same job with `resume` goes on.
 *
 * Errors: USAGE, EXISTS, BUSY, OTHER_RUN, TOO_LARGE, those of opening model and data, of `profile`, `trainRun` and
 * `writeTrained`.
 */
export function runTrainJob(job: TrainJob, context: TrainContext): AsyncGenerator<TrainProgress, TrainResult> {
  return announcingSteps(computingFolder(context.home), trainJob(job, context));
}

async function* trainJob(job: TrainJob, context: TrainContext): AsyncGenerator<TrainProgress, TrainResult> {
  checkJob(job);
  const calibration = calibrationRequest(job, true);
  const targets = targetsOf(job);
  for (const { folder } of targets) await folder.check(job);
  const earlier = job.resume ? await earlierRun(targets) : undefined;
  const prepared = yield* prepareTraining(job, targets.map(({ depth }) => depth), earlier, context);
  const { chosen, instruction, read } = prepared;
  const { signal } = context;
  const releases: (() => Promise<void>)[] = [];
  let evaluation: EvaluationData | undefined;
  try {
    if (job.evaluation !== undefined) evaluation = await openEvaluation(job.evaluation.data, { batchSize: chosen.training.batchSize, instruction, signal });
    if (calibration !== undefined) checkCalibrationRows(read.data.rows, calibration);
    for (const { folder } of targets) releases.push(await folder.lock());
    return yield* trainTargets(targets, { ...prepared, evaluation, calibration });
  } finally {
    for (const release of releases.toReversed()) await release();
    await evaluation?.close();
    await read.data.close();
  }
}

/** The folders: the one that was named, or one in it for each depth. Errors: USAGE. */
function targetsOf({ depths = [{ kind: 'all' }], out }: TrainJob): Target[] {
  const byName = new Map(depths.map((depth) => [depth.kind === 'all' ? 'all' : depthName(depth), depth]));
  if (byName.size === 0) throw errors.usage('Say how deep to train with --layers, or leave it out for all layers.');
  return [...byName].map(([name, depth]) => ({ folder: new RunFolder(byName.size === 1 ? out : join(out, name)), depth }));
}

/** What the runs of the job that are there were begun with. Errors: BAD_MANIFEST. */
async function earlierRun(targets: readonly Target[]): Promise<EarlierRun | undefined> {
  for (const { folder } of targets) {
    const unfinished = await folder.read();
    if (unfinished !== undefined) return unfinished;
  }
  for (const { folder } of targets) {
    const last = (await folder.finished())?.history.at(-1);
    if (last?.step === 'train') return last.training;
  }
  return undefined;
}

async function* trainTargets(targets: readonly Target[], shared: Shared): AsyncGenerator<TrainProgress, TrainResult> {
  const { opened: { how }, job, read: { data } } = shared;
  if (job.force) for (const { folder } of targets) await folder.clear();
  const readsCurve = targets.some(({ depth }) => depth.kind === 'small' || depth.kind === 'large');
  const curve = readsCurve ? ((await earlierCurve(targets, job)) ?? (yield* profileData(shared))) : null;
  const checkpoints: TrainedCheckpoint[] = [];
  for (const target of targets) checkpoints.push(yield* trainTarget(target, curve, shared));
  const { rows, rejected, repeated } = dataOf(data);
  return { checkpoints, source: how, data: { rows, rejected, repeated } };
}

/** The curve that the runs of a job were cut by. */
async function earlierCurve(targets: readonly Target[], { resume }: TrainJob): Promise<LossCurve | undefined> {
  if (!resume) return undefined;
  for (const { folder } of targets) {
    const curve = (await folder.read())?.curve ?? (await folder.finished())?.curve;
    if (curve) return curve as LossCurve;
  }
  return undefined;
}

/** Begins the run of a folder, goes on with it, or finds it finished. */
async function* trainTarget(target: Target, curve: LossCurve | null, shared: Shared): AsyncGenerator<TrainProgress, TrainedCheckpoint> {
  const { folder } = target;
  const { job, opened: { checkpoint, engine }, read: { data }, start, evaluation, context: { signal } } = shared;
  const unfinished = await folder.read();
  const asked = await askedRun(target, curve, shared);
  if (unfinished === undefined && job.resume) {
    const found = await finishedRun(folder, asked, job);
    if (found !== undefined) {
      yield { kind: 'note', sentence: `${folder.out} is finished already.` };
      return found;
    }
  }
  if (unfinished !== undefined) checkSameRun(folder.out, unfinished, asked);
  const description = unfinished ?? (await newRun(target, curve, shared));
  const { settings } = description;
  const parameters = start && parametersFor(start, checkpoint, settings);
  if (settings.baseBits !== null && engine.name !== 'onnx') throw errors.usage(`--base-bits is ONNX Runtime's: leave out --engine ${engine.name}.`);
  if (unfinished === undefined) await begin(folder, description, shared);
  yield { kind: 'note', sentence: describeRun(folder.name, description, unfinished !== undefined) };
  const finished = yield* trainRun({
    engine,
    checkpoint: await baseOf(checkpoint, description, folder, signal),
    data,
    folder,
    description,
    start: parameters,
    evaluation,
    saveEvery: job.saveEvery ?? defaultSaveEvery,
    signal,
  });
  const trained = withAdapter(checkpoint, { lora: loraOf(settings), parameters: finished.parameters });
  const calibration = yield* calibrate(trained, folder.name, description, shared);
  const writing = new ProgressQueue<TrainProgress, TrainedCheckpoint>((push) =>
    writeTrained(folder, {
      trained,
      description,
      record: recordOf(finished, description),
      calibration,
      merge: job.merge ?? true,
      signal,
      onProgress: (done, total) => push({ kind: 'write', run: folder.name, done, total }),
    }),
  );
  return yield* writing.drain();
}

/** Writes what a run is, and which rows it leaves out. Errors: WRITE_FAILED. */
async function begin(folder: RunFolder, description: RunDescription, { read: { data: { rejected } } }: Shared): Promise<void> {
  if (rejected.length > 0) await writeFileAtomically(folder.rejected, rejected.map((row) => `${JSON.stringify(row)}\n`).join(''));
  await folder.write(description);
}

/**
 * The model that a run computes with: its frozen weights in few bits where the settings say so. The adapter is merged
 * into the weights as they are, and its calibration measured on those.
 */
async function baseOf(checkpoint: Checkpoint, { settings: { baseBits: bits, layers } }: RunDescription, folder: RunFolder, signal: AbortSignal | undefined): Promise<Checkpoint> {
  return bits === null ? checkpoint : quantizeBase(checkpoint, { layers, bits, file: folder.base, signal });
}

/** What a run is asked to be, as far as something was said. */
async function askedRun({ depth }: Target, curve: LossCurve | null, { job, opened: { checkpoint }, chosen, start, read: { data }, evaluation, context }: Shared): Promise<AskedRun> {
  const { config } = checkpoint;
  const { microBatch, evaluation: request } = job;
  return {
    model: await modelOf(checkpoint),
    adapter: adapterFingerprint(start) ?? undefined,
    settings: { ...job.settings, ...(job.depths === undefined ? {} : { layers: layersToKeep(resolvedDepth(depth, config), config.numHiddenLayers, curve) }) },
    instruction: job.instruction,
    data: dataOf(data),
    evaluation: evaluation === undefined ? null : { fingerprint: evaluation.fingerprint, every: request?.every, earlyStop: request?.earlyStop },
    runTokens: microBatch === undefined ? undefined : microBatch * chosen.training.maxLength,
    engine: { name: askedEngine(context), threads: context.threads, device: askedDevice(context) },
  };
}

/** The run that is begun. Errors: USAGE, TOO_LARGE. */
async function newRun(target: Target, curve: LossCurve | null, shared: Shared): Promise<RunDescription> {
  const { job, opened: { checkpoint, engine }, chosen, instruction, start, read: { data, tokens }, evaluation, context } = shared;
  const { config } = checkpoint;
  const depth = resolvedDepth(target.depth, config);
  const settings: TrainingSettings = { ...chosen.training, layers: layersToKeep(depth, config.numHiddenLayers, curve) };
  const need = { config, layers: settings.layers, lora: loraOf(settings), length: Math.max(1, longestText(tokens)), baseBits: settings.baseBits };
  const asked = job.microBatch === undefined ? undefined : job.microBatch * settings.maxLength;
  if (asked !== undefined) checkRunTokens(need, asked, availableBytes());
  const { every = Math.ceil(settings.steps / evaluations), earlyStop = null } = job.evaluation ?? {};
  return {
    format: 1,
    createdBy,
    created: new Date().toISOString(),
    model: await modelOf(checkpoint),
    adapter: adapterFingerprint(start),
    data: dataOf(data),
    depth,
    settings,
    evaluation: evaluation === undefined ? null : { fingerprint: evaluation.fingerprint, metric: evaluation.metric, every, earlyStop },
    runTokens: asked ?? planRunTokens(need, availableBytes()),
    engine: { name: engine.name, threads: context.threads ?? null, device: askedDevice(context) ?? 'auto' },
    instruction: instruction ?? null,
    encoder: chosen.encoder,
    curve: depth.kind === 'small' || depth.kind === 'large' ? (curve as RunDescription['curve']) : null,
  };
}

/** The checkpoint that a run has become. Errors: OTHER_RUN, EXISTS where the folder's checkpoint was not trained. */
async function finishedRun(folder: RunFolder, asked: AskedRun, job: TrainJob): Promise<TrainedCheckpoint | undefined> {
  const manifest = await folder.finished();
  if (manifest === undefined) return undefined;
  const last = manifest.history.at(-1);
  if (last?.step !== 'train') throw errors.exists(`${folder.out} holds a checkpoint that was cut and not trained: name another folder, or replace it with --force.`);
  const { training, from } = last;
  checkSameRun(folder.out, { ...training, model: from }, asked);
  checkSameCheckpoint(folder.out, manifest, job);
  return trainedCheckpoint(folder.out, training);
}

/** Measures the calibration of what was trained, where one is wanted. */
async function* calibrate(trained: Checkpoint, run: string, { encoder, settings }: RunDescription, shared: Shared): AsyncGenerator<TrainProgress, Calibration | undefined> {
  const { calibration, opened: { engine }, read: { data }, context: { signal } } = shared;
  if (calibration === undefined) return undefined;
  const { instruction, separator } = encoder;
  const maxLength = Math.min(encoder.maxLength, settings.maxLength);
  const own = instruction === undefined ? {} : { instruction, separator };
  const { triplets } = await firstRows(data, calibrationRows);
  const { usable } = withSomethingToPool(triplets, ({ query, positive }) => [{ text: query, ...own }, { text: positive }].map((input) => prepareText(trained.tokenizer, input, maxLength)));
  const running = calibrateAt(engine, trained, settings.layers, usable, calibration, { ...encoder, maxLength }, signal);
  let step = await running.next();
  for (; !step.done; step = await running.next()) yield { kind: 'calibrate', run, done: step.value.textsDone, total: step.value.texts };
  return step.value;
}

function describeRun(name: string, { settings, runTokens, data }: RunDescription, goesOn: boolean): string {
  const { layers, steps, batchSize, loraRank } = settings;
  const passes = (steps * batchSize) / data.rows;
  return `${goesOn ? 'Going on with' : 'Training'} ${name}, ${layers} ${layers === 1 ? 'layer' : 'layers'}: ${steps} steps of ${batchSize} rows (${passes.toFixed(1)} passes over the data), rank ${loraRank}, up to ${runTokens} tokens at a time.`;
}
