import { resolve } from 'node:path';
import { errors } from '../../errors.ts';
import { checkFolderTarget } from '../../files.ts';
import { ProgressQueue } from '../../prune/progress-queue.ts';
import { layersToKeep } from '../../prune/prune.ts';
import type { TrainJob, TrainProgress } from '../../train/job.ts';
import { checkJob, dataOf, modelOf, parametersFor, prepareTraining, profileData, resolvedDepth, type TrainContext } from '../../train/prepare.ts';
import type { RunDescription } from '../../train/run-folder.ts';
import { defaultSaveEvery } from '../../train/run.ts';
import { adapterFingerprint } from '../../train/summary.ts';
import { jobFile, writeTrainingJob } from './write.ts';
import type { WrittenData } from './write-data.ts';

/** A training job as it was written. */
export interface ExportedJob extends WrittenData {
  readonly path: string;
  readonly model: string;
  readonly layersKept: number;
  readonly layersOfBase: number;
  readonly steps: number;
  readonly batchSize: number;
}

/**
 * Writes a training as a folder that does the same run elsewhere, instead of doing it: gets the model, reads the data and
 * profiles them where the depth is read from the curve, as the training would.
 *
 * Errors: USAGE (also for what a job elsewhere cannot do), EXISTS, those of `prepareTraining`, `profileData` and
 * `writeTrainingJob`.
 */
export async function* exportTrainingJob(job: TrainJob, context: TrainContext): AsyncGenerator<TrainProgress, ExportedJob> {
  checkJob(job);
  checkExportable(job);
  const { depths: [asked = { kind: 'all' }, another] = [], out, force = false, merge = true, saveEvery = defaultSaveEvery } = job;
  if (another !== undefined) throw errors.usage('A training job is of one depth: export one for each.');
  await checkFolderTarget(out, { force, marker: jobFile });
  const prepared = yield* prepareTraining(job, [asked], undefined, context);
  const { chosen, opened: { checkpoint }, read: { data }, start } = prepared;
  const { signal } = context;
  try {
    const depth = resolvedDepth(asked, checkpoint.config);
    const curve = depth.kind === 'small' || depth.kind === 'large' ? yield* profileData(prepared) : null;
    const settings = { ...chosen.training, layers: layersToKeep(depth, checkpoint.config.numHiddenLayers, curve) };
    const description = {
      model: await modelOf(checkpoint),
      adapter: adapterFingerprint(start),
      data: dataOf(data),
      depth,
      settings,
      encoder: chosen.encoder,
      curve: curve as RunDescription['curve'],
    };
    const run = { checkpoint, data, description, start: start && parametersFor(start, checkpoint, settings), saveEvery, merge };
    const writing = new ProgressQueue<TrainProgress, WrittenData>((push) =>
      writeTrainingJob(out, run, {
        force,
        signal,
        onProgress: ({ what, done, total }) => push(what === 'batches' ? { kind: 'data', done, total } : { kind: 'write', run: out, done, total }),
      }),
    );
    const written = yield* writing.drain();
    const { layers, steps, batchSize } = settings;
    return { path: resolve(out), model: checkpoint.name, layersKept: layers, layersOfBase: checkpoint.config.numHiddenLayers, steps, batchSize, ...written };
  } finally {
    await data.close();
  }
}

/** Errors: USAGE for what only our own trainer does. */
function checkExportable({ microBatch, evaluation, resume, calibrate, components, settings }: TrainJob): void {
  const given: ReadonlyArray<readonly [option: string, isGiven: boolean, instead: string]> = [
    ['--micro-batch', microBatch !== undefined, 'say it to train.py, where memory is known'],
    ['--eval', evaluation !== undefined, 'measure its checkpoint with l3prune eval'],
    ['--model-negatives-after', settings?.modelNegativesAfter !== undefined, 'its script trains on the negatives that the rows have'],
    ['--precision', settings?.precision !== undefined, 'launch it with --mixed_precision bf16 instead'],
    ['--base-bits', settings?.baseBits !== undefined, 'its script has the weights as they are'],
    ['--resume', resume === true, 'say it to train.py'],
    ['--calibrate', calibrate !== undefined || components !== undefined, 'calibrate its checkpoint with l3prune prune'],
  ];
  for (const [option, isGiven, instead] of given) if (isGiven) throw errors.usage(`${option} has no part in a training job: ${instead}.`);
}
