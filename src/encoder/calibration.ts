/** What a text is in a search; a calibration may treat the two apart. */
export type Role = 'query' | 'document';
export const roles: readonly Role[] = ['query', 'document'];

/** What is shared: one map for both roles, or one each, as a Router of two Dense modules in sentence-transformers. */
export type CalibrationKind = 'mean' | 'router';
export const calibrationKinds: readonly CalibrationKind[] = ['mean', 'router'];

/** x ↦ weight · x + bias, as a Dense module without an activation computes it. */
export interface AffineMap {
  /** [hiddenSize, hiddenSize] row-major; the identity when undefined. */
  readonly weight: Float32Array | undefined;
  /** [hiddenSize] */
  readonly bias: Float32Array;
}

/**
 * What is done to a vector before it is compared. An untrained decoder's vectors all point roughly one way: taking the
 * mean off, and perhaps the leading principal components, leaves what tells them apart (Mu and Viswanath 2018,
 * "All-but-the-Top").
 */
export interface Calibration {
  readonly kind: CalibrationKind;
  /** Leading principal components that are taken off beside the mean. */
  readonly components: number;
  /** Triplets that it was measured on. */
  readonly rows: number;
  readonly maps: Readonly<Record<Role, AffineMap>>;
}

/** The vectors of texts in one role, calibrated; each as long as the calibration is wide. */
export function applyCalibration({ maps }: Calibration, role: Role, vectors: readonly Float32Array[]): Float32Array[] {
  const { weight, bias } = maps[role];
  return vectors.map((vector) => (weight === undefined ? vector.map((x, i) => x + bias[i]!) : transform(weight, bias, vector)));
}

/** The vectors with the mean taken off each; all have the mean's length. */
export function takeOff(vectors: readonly Float32Array[], mean: Float32Array | Float64Array): Float32Array[] {
  return vectors.map((vector) => vector.map((x, i) => x - mean[i]!));
}

function transform(weight: Float32Array, bias: Float32Array, vector: Float32Array): Float32Array {
  const size = vector.length;
  return bias.map((start, row) => {
    let sum = start;
    for (let column = 0; column < size; column++) sum += weight[row * size + column]! * vector[column]!;
    return sum;
  });
}
