import { join } from 'node:path';
import type { Calibration } from '../encoder/calibration.ts';
import { errors } from '../errors.ts';
import { readSafetensors } from '../models/safetensors.ts';
import { readTensor } from '../models/tensor-data.ts';
import type { Checkpoint } from '../models/types.ts';
import { calibrationFile, calibrationTensors, type Manifest } from './manifest.ts';

/** The mean vectors a checkpoint keeps, or undefined where it was cut without data. Errors: BAD_MODEL_FILE. */
export async function readCalibration(checkpoint: Checkpoint, manifest: Manifest | undefined): Promise<Calibration | undefined> {
  if (manifest?.calibrated !== true) return undefined;
  const path = join(checkpoint.directory, calibrationFile);
  const tensors = await readSafetensors(path);
  const mean = async (name: string): Promise<Float32Array> => {
    const tensor = tensors.get(name);
    if (tensor === undefined || tensor.shape.at(-1) !== checkpoint.config.hiddenSize || tensor.shape.length !== 2 || tensor.shape[0] !== 1)
      throw errors.badModelFile(`${path} does not hold ${name} of ${checkpoint.config.hiddenSize} numbers: prune the model again.`);
    return readTensor(tensor);
  };
  return { query: await mean(calibrationTensors.query), document: await mean(calibrationTensors.document) };
}
