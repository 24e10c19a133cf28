import { join } from 'node:path';
import type { AffineMap, Calibration } from '../encoder/calibration.ts';
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
  const minus = async (name: string): Promise<AffineMap> => {
    const tensor = tensors.get(name);
    if (tensor === undefined || tensor.shape.at(-1) !== checkpoint.config.hiddenSize || tensor.shape.length !== 2 || tensor.shape[0] !== 1)
      throw errors.badModelFile(`${path} does not hold ${name} of ${checkpoint.config.hiddenSize} numbers: prune the model again.`);
    return { weight: undefined, bias: (await readTensor(tensor)).map((x) => -x) };
  };
  const maps = { query: await minus(calibrationTensors.query), document: await minus(calibrationTensors.document) };
  return { kind: 'router', components: 0, maps };
}
