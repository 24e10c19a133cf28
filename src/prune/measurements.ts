import { errors } from '../errors.ts';
import type { Depth } from './job.ts';
import { calibrationRequest, type AskedCalibration, type CalibrationRequest } from './measure-calibration.ts';
import { needsCurve } from './prune.ts';

/** What a cut is made from, beside the model. */
export interface CutInputs extends AskedCalibration {
  readonly depth: Depth;
  readonly hasCurve: boolean;
  readonly hasData: boolean;
}

/** What is measured on triplets before a model is cut. */
export interface Measurements {
  readonly curve: boolean;
  readonly calibration: CalibrationRequest | undefined;
}

/**
 * What a cut has to measure: a curve where its depth is read from one and none is given, for that takes minutes; and a
 * calibration, where there are data. Errors: USAGE where data are missing, or where nothing would be measured on them.
 */
export function measurementsFor({ depth, hasCurve, hasData, ...asked }: CutInputs): Measurements {
  const readsCurve = depth.kind === 'small' || depth.kind === 'large';
  if (readsCurve && !hasCurve && !hasData) throw needsCurve(depth);
  const curve = readsCurve && !hasCurve;
  const calibration = calibrationRequest(asked, hasData);
  if (hasData && !curve && calibration === undefined)
    throw errors.usage('Nothing would be measured on the data: the depth needs no curve of them, and no calibration is asked for. Leave them out.');
  return { curve, calibration };
}
