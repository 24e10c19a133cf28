import { resolve } from 'node:path';
import type { Calibration } from '../encoder/calibration.ts';
import { errors, type L3PruneError } from '../errors.ts';
import { writeFolderAtomically } from '../files.ts';
import type { Checkpoint } from '../models/types.ts';
import { createdBy } from '../version.ts';
import { layersAfterPercent } from './choose.ts';
import type { LossCurve } from './curve.ts';
import type { CheckpointSummary, Depth } from './job.ts';
import { describeCalibration, manifestFile, manifestFormat, readManifest, type CheckpointEncoderSettings, type Manifest } from './manifest.ts';
import { summarize } from './checkpoints.ts';
import { checkEncoderSettings, writeCheckpointFiles } from './write-checkpoint.ts';

export interface PruneOptions {
  readonly depth: Depth;
  /** The folder to write. */
  readonly out: string;
  readonly encoder: CheckpointEncoderSettings;
  /** The curve that the depth is read from, kept in the manifest; null where there is none. */
  readonly curve: LossCurve | null;
  /** What was measured at this depth under these settings; without it the vectors stay as they are. */
  readonly calibration?: Calibration | undefined;
  /** Replace a checkpoint that is already there. */
  readonly force?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

/**
 * The count of layers that a depth asks for, of a model that has `layers`.
 * Errors: USAGE where nothing would be left, all would be, or a curve is needed and there is none.
 */
export function layersToKeep(depth: Depth, layers: number, curve: LossCurve | null): number {
  switch (depth.kind) {
    case 'layers':
      if (!Number.isInteger(depth.layers) || depth.layers < 1 || depth.layers > layers)
        throw errors.usage(`The model has ${layers} layers: keep 1 to ${layers} of them, not ${depth.layers}.`);
      return depth.layers;
    case 'percent': {
      const { percent } = depth;
      if (!(percent > 0 && percent < 100)) throw errors.usage(`Take more than 0 and less than 100 percent off, not ${percent}.`);
      if (percent < 1)
        throw errors.usage(`${percent} percent takes next to nothing off: did you mean --percent ${Number((percent * 100).toPrecision(6))}?`);
      const kept = layersAfterPercent(layers, percent);
      if (kept < 1) throw errors.usage(`Nothing of ${layers} layers is left when ${percent} percent are taken off.`);
      return kept;
    }
    case 'small':
    case 'large': {
      if (curve === null) throw needsCurve(depth);
      const kept = curve[depth.kind];
      if (kept > layers) throw errors.usage(`The curve cuts at ${kept} layers and the model has ${layers}: it belongs to another model.`);
      return kept;
    }
  }
}

/** What is said where a cut needs a curve and nothing to have one from is given. */
export function needsCurve({ kind }: Depth): L3PruneError {
  return errors.usage(`The ${kind} cut is read from a loss curve: give --curve FILE or --data D.`);
}

/** What the folder of a checkpoint at this depth is called where several stand beside each other. */
export function depthName(depth: Depth): string {
  if (depth.kind === 'layers') return `${depth.layers}-layers`;
  return depth.kind === 'percent' ? `minus-${depth.percent}-percent` : depth.kind;
}

/**
 * Writes the model cut after its first layers as a checkpoint folder, which appears whole or not at all. An adapter that
 * the model keeps apart becomes part of the weights.
 *
 * Errors: USAGE (also for a curve of another model), EXISTS, NOT_FINITE, WRITE_FAILED, CANCELLED.
 */
export async function pruneCheckpoint(checkpoint: Checkpoint, options: PruneOptions): Promise<CheckpointSummary> {
  const { curve, depth } = options;
  const layers = layersToKeep(depth, checkpoint.config.numHiddenLayers, curve);
  const out = resolve(options.out);
  checkEncoderSettings(checkpoint, options.encoder);
  const manifest = await makeManifest(checkpoint, layers, options);
  const { signal, onProgress, calibration } = options;
  const write = (folder: string): Promise<void> => writeCheckpointFiles(folder, { checkpoint, manifest, calibration }, { signal, onProgress });
  await writeFolderAtomically(out, write, { force: options.force, marker: manifestFile, signal });
  return await summarize(out);
}

async function makeManifest(checkpoint: Checkpoint, layers: number, { curve, depth, encoder, calibration }: PruneOptions): Promise<Manifest> {
  const earlier = await readManifest(checkpoint.directory);
  const created = new Date().toISOString();
  const from = {
    name: checkpoint.name,
    fingerprint: await checkpoint.fingerprint(),
    layers: checkpoint.config.numHiddenLayers,
  };
  if (curve !== null && curve.model.fingerprint !== from.fingerprint)
    throw errors.usage(`The curve was measured on ${curve.model.name}, which is another model than ${from.name}: measure it on this one.`);
  return {
    format: manifestFormat,
    createdBy,
    created,
    base: earlier?.base ?? from,
    layers,
    encoder,
    history: [...(earlier?.history ?? []), { step: 'prune', date: created, from, layers, depth }],
    curve: curve as Manifest['curve'],
    calibration: describeCalibration(calibration),
    adapter: null,
  };
}
