import { basename, join } from 'node:path';
import { announcingSteps, computingFolder } from '../announce.ts';
import { mine } from '../data/mine.ts';
import { minedTriplets } from '../data/mine/triplet.ts';
import type { TripletSet } from '../data/triplet.ts';
import { errors } from '../errors.ts';
import type { ByteProgress, Checkpoint } from '../models/types.ts';
import type { EngineChoice } from '../engine/select.ts';
import { defaultSettings } from './checkpoint-settings.ts';
import type { CheckpointEncoderSettings } from './manifest.ts';
import { calibrateAt, defaultCalibration } from './measure-calibration.ts';
import { loadTriplets, mostBatches, openModelFor, profileRequestFor } from './inputs.ts';
import type { CheckpointSummary, JobProgress, PruneJob, PruneJobResult } from './job.ts';
import { profile, type ProfileRequest } from './profile.ts';
import { depthName, layersToKeep, pruneCheckpoint } from './prune.ts';
import { ProgressQueue } from './progress-queue.ts';

export interface PruneJobContext {
  readonly home: string;
  readonly signal: AbortSignal;
  readonly threads?: number | undefined;
  readonly engine?: EngineChoice | undefined;
}

/**
 * The whole job: gets the model, reads or mines the triplets, measures the curve and writes a checkpoint for every depth
 * into the data home, under a folder named after the model and the moment. Yields progress; obeys the signal between two
 * runs of the engine. What has been written when it fails or is cancelled stays.
 *
 * Errors: those of `openModelFor`, `profile` and `pruneCheckpoint`.
 */
export function runPruneJob(job: PruneJob, context: PruneJobContext): AsyncGenerator<JobProgress, PruneJobResult> {
  return announcingSteps(computingFolder(context.home), pruneJob(job, context));
}

async function* pruneJob(job: PruneJob, { home, signal, threads, engine: choice }: PruneJobContext): AsyncGenerator<JobProgress, PruneJobResult> {
  if (job.depths.length === 0) throw errors.usage('Say how deep to cut: small, large, a count of layers or a percentage.');
  const model = new ProgressQueue<JobProgress, Awaited<ReturnType<typeof openModelFor>>>((push) =>
    openModelFor(job.model, { home, signal, threads, engine: choice, onProgress: (progress) => push(modelProgress(progress)) }),
  );
  const { checkpoint, how, engine } = yield* model.drain();
  const depths = [...new Map(job.depths.map((depth) => [depthName(depth), depth])).values()];
  for (const depth of depths) {
    if (depth.kind === 'layers' || depth.kind === 'percent') layersToKeep(depth, checkpoint.config.numHiddenLayers, null);
  }
  const request = await profileRequestOf(job, checkpoint);
  const data = yield* loadData(job, request, signal);

  const encoder = encoderSettings(await defaultSettings(checkpoint), job);
  const measuring = profile(engine, checkpoint, data, request, { signal });
  let step = await measuring.next();
  for (; !step.done; step = await measuring.next()) yield { kind: 'profile', progress: step.value };
  const curve = step.value;

  const checkpoints: CheckpointSummary[] = [];
  const folder = join(home, 'checkpoints', `${basename(checkpoint.name).replace(/[^\w.-]+/g, '-')}-${stamp(new Date())}`);
  for (const depth of depths) {
    const layers = layersToKeep(depth, checkpoint.config.numHiddenLayers, curve);
    const settings = { ...encoder, maxLength: Math.min(encoder.maxLength, request.maxLength) };
    const calibrating = calibrateAt(engine, checkpoint, layers, data.triplets, defaultCalibration, settings, signal);
    let done = await calibrating.next();
    for (; !done.done; done = await calibrating.next()) yield { kind: 'calibrate', layers, done: done.value.textsDone, total: done.value.texts };
    const calibration = done.value;
    const writing = new ProgressQueue<JobProgress, CheckpointSummary>(async (push) =>
      pruneCheckpoint(checkpoint, {
        depth,
        out: depths.length === 1 ? folder : join(folder, depthName(depth)),
        encoder,
        curve,
        calibration,
        signal,
        onProgress: (done, total) => push({ kind: 'write', done, total }),
      }),
    );
    checkpoints.push(yield* writing.drain());
  }
  return { curve, checkpoints, source: how };
}

function modelProgress({ what, doneBytes, totalBytes }: ByteProgress): JobProgress {
  return { kind: 'model', what, done: doneBytes, total: totalBytes };
}

/** The job's settings over the model's; a text longer than the model reads is cut where the model ends. */
async function profileRequestOf(job: PruneJob, checkpoint: Checkpoint): Promise<ProfileRequest> {
  const request = await profileRequestFor(checkpoint, job.settings);
  return { ...request, maxLength: Math.min(request.maxLength, checkpoint.config.maxPositionEmbeddings) };
}

async function* loadData(job: PruneJob, request: ProfileRequest, signal: AbortSignal): AsyncGenerator<JobProgress, TripletSet> {
  yield { kind: 'data', done: 0, total: undefined };
  if (job.data.kind === 'triplets') return loadTriplets(job.data.path, request, signal);
  const mining = mine(job.data.path, { seed: request.seed, limit: (request.batches ?? mostBatches) * request.batchSize, signal });
  let step = await mining.next();
  for (; !step.done; step = await mining.next()) yield { kind: 'data', done: step.value.filesDone, total: step.value.files };
  return minedTriplets(step.value, request.seed);
}

/** What the checkpoints will encode by: as the curve was measured, but for its length, which is a matter of time alone. */
function encoderSettings(own: CheckpointEncoderSettings, { settings }: PruneJob): CheckpointEncoderSettings {
  const { attention = own.attention, pooling = own.pooling } = settings;
  return { ...own, attention, pooling };
}

/** Local time as a name that sorts: 2031-05-09-174502. */
function stamp(now: Date): string {
  const part = (value: number, digits = 2): string => String(value).padStart(digits, '0');
  const day = [part(now.getFullYear(), 4), part(now.getMonth() + 1), part(now.getDate())].join('-');
  return `${day}-${part(now.getHours())}${part(now.getMinutes())}${part(now.getSeconds())}`;
}
