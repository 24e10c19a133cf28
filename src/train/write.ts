import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Calibration } from '../encoder/calibration.ts';
import { writeFolderAtomically } from '../files.ts';
import type { Checkpoint } from '../models/types.ts';
import { summarize } from '../prune/checkpoints.ts';
import { describeCalibration, manifestFormat, readManifest, type Manifest } from '../prune/manifest.ts';
import { writeCheckpointFiles } from '../prune/write-checkpoint.ts';
import { createdBy } from '../version.ts';
import type { TrainedCheckpoint } from './job.ts';
import { metricsFile, rejectedFile, trainingFolder, type RunDescription, type RunFolder } from './run-folder.ts';
import type { TrainingRecord } from './record.ts';

/** What of a run says what its checkpoint is. */
export type DescribedModel = Pick<RunDescription, 'model' | 'depth' | 'encoder' | 'curve'>;

/** What becomes of a run. */
export interface FinishedTraining {
  /** The model with what was trained as its adapter. */
  readonly trained: Checkpoint;
  readonly description: RunDescription;
  readonly record: TrainingRecord;
  readonly calibration: Calibration | undefined;
  /** Whether the adapter becomes part of the weights. */
  readonly merge: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

/**
 * Puts the checkpoint that a run has made in place of the run: the folder holds the one, whole, or the other. Errors:
 * NOT_FINITE, WRITE_FAILED, EXISTS where the folder holds other things by now, CANCELLED, after which the run is as it was.
 */
export async function writeTrained(folder: RunFolder, training: FinishedTraining): Promise<TrainedCheckpoint> {
  const { trained: checkpoint, record, calibration, signal, onProgress } = training;
  const manifest = await trainedManifest(training);
  const write = async (temporary: string): Promise<void> => {
    await writeCheckpointFiles(temporary, { checkpoint, manifest, calibration }, { signal, onProgress });
    await copyFile(folder.metrics, join(temporary, metricsFile));
    if (record.data.rejected > 0) await copyFile(folder.rejected, join(temporary, rejectedFile));
    await folder.checkOwn();
  };
  await writeFolderAtomically(folder.out, write, { force: true, marker: trainingFolder, signal });
  return trainedCheckpoint(folder.out, training.record);
}

/** A finished checkpoint with what its training was. Errors: those of `summarize`. */
export async function trainedCheckpoint(out: string, { steps, step, loss: { first, last }, evaluation, tokens, seconds }: TrainingRecord): Promise<TrainedCheckpoint> {
  return { ...(await summarize(out)), steps, step, loss: { first, last }, evaluation, tokens, seconds };
}

/** The manifest of what a training has made of a model, which may be a checkpoint of ours. Errors: BAD_MANIFEST. */
export async function trainedManifest({
  trained,
  description: { model: from, depth, encoder, curve },
  record,
  calibration,
  merge,
}: Pick<FinishedTraining, 'trained' | 'record' | 'calibration' | 'merge'> & { readonly description: DescribedModel }): Promise<Manifest> {
  const earlier = await readManifest(trained.directory);
  const created = new Date().toISOString();
  const { layers } = record.settings;
  return {
    format: manifestFormat,
    createdBy,
    created,
    base: earlier?.base ?? from,
    layers,
    encoder,
    history: [...(earlier?.history ?? []), { step: 'train', date: created, from, layers, depth, training: record }],
    curve: curve ?? (layers === from.layers ? (earlier?.curve ?? null) : null),
    calibration: describeCalibration(calibration),
    adapter: { merged: merge },
  };
}
