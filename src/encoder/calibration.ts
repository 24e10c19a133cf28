/**
 * An untrained decoder's vectors all point roughly one way. Taking the mean vector off, queries and documents apart,
 * leaves what tells them apart (the first step of Mu and Viswanath 2018, "All-but-the-Top").
 */
export interface Calibration {
  /** [hiddenSize] */
  readonly query: Float32Array;
  readonly document: Float32Array;
}

/** The vectors with the mean taken off each; all have the mean's length. */
export function takeOff(vectors: readonly Float32Array[], mean: Float32Array | Float64Array): Float32Array[] {
  return vectors.map((vector) => vector.map((x, i) => x - mean[i]!));
}
