import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { calibrationKinds, type Calibration } from '../encoder/calibration.ts';
import type { EncoderSettings } from '../encoder/settings.ts';
import { errors } from '../errors.ts';
import { writeFileAtomically } from '../files.ts';
import type { Checkpoint } from '../models/types.ts';
import { calibrationFolders, readCalibrationWeights, writeCalibrationWeights } from './calibration-modules.ts';
import { checkpointTexts } from './checkpoint-texts.ts';
import { describeCalibration, manifestFile, manifestFormat, readManifest, type Manifest } from './manifest.ts';

/** How a model's vectors are made, as far as a calibration cares: it belongs to the vectors it was measured on. */
export type CalibratedUse = Pick<EncoderSettings, 'attention' | 'pooling'> & { readonly layers: number };

/**
 * What a checkpoint's modules do to the vectors that are made this way: its calibration, or undefined where it has none,
 * or where depth, attention or pooling are not its own. Errors: NOT_FOUND, BAD_MODEL_FILE.
 */
export async function readCalibration(checkpoint: Checkpoint, manifest: Manifest | undefined, use: CalibratedUse): Promise<Calibration | undefined> {
  if (manifest === undefined || manifest.calibration === null || !isOwn(manifest, use)) return undefined;
  const { kind, components } = manifest.calibration;
  const maps = await readCalibrationWeights(checkpoint.directory, { kind, components, size: checkpoint.config.hiddenSize });
  return { ...manifest.calibration, maps };
}

/** Whether vectors that are made this way are those that the checkpoint was made for. */
function isOwn({ layers, encoder }: Manifest, use: CalibratedUse): boolean {
  return use.layers === layers && use.attention === encoder.attention && use.pooling === encoder.pooling;
}

/**
 * Makes a calibration a checkpoint's own, in place of what it had, or takes it off where there is none. The manifest is
 * written last: until then the folder counts as it was. Errors: BAD_MANIFEST, WRITE_FAILED.
 */
export async function writeCalibration(checkpoint: Checkpoint, calibration: Calibration | undefined): Promise<void> {
  const { directory } = checkpoint;
  const manifest = await readManifest(directory);
  if (manifest === undefined) throw errors.badManifest(`${directory} has no ${manifestFile}: it is not a checkpoint of ours.`);
  if (calibration !== undefined) await writeCalibrationWeights(directory, calibration);
  const changed: Manifest = { ...manifest, format: manifestFormat, calibration: describeCalibration(calibration) };
  for (const { path, content } of await checkpointTexts(checkpoint, changed)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFileAtomically(join(directory, path), content);
  }
  for (const kind of calibrationKinds) {
    if (kind !== calibration?.kind) await rm(join(directory, calibrationFolders[kind]), { recursive: true, force: true });
  }
}
