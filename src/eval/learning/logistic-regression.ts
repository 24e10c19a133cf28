import { minimize, type Objective } from './lbfgs.ts';

/** A linear classifier. With two classes there is one row, the second class's. */
export interface LogisticModel {
  readonly classes: number;
  /** [rows, features] row-major */
  readonly weights: Float64Array;
  /** [rows] */
  readonly intercepts: Float64Array;
  readonly iterations: number;
  /** False where the iterations ran out before the gradient was flat. */
  readonly converged: boolean;
}

export interface LogisticOptions {
  readonly maxIterations: number;
  readonly gradientTolerance: number;
}

/** What scikit-learn's `LogisticRegression()` has, and the paper's benchmark with it. */
export const sklearnDefaults: LogisticOptions = { maxIterations: 100, gradientTolerance: 1e-4 };

/** Inverse strength of the penalty. */
const C = 1;
/** Samples that are multiplied at once, so that a weight is read once for all of them. */
const block = 4;

/**
 * Fits a logistic regression with an L2 penalty of C = 1 that spares the intercept, multinomial from three classes on, as
 * scikit-learn's `LogisticRegression(solver="lbfgs")` does:
 *
 *   f(W, b) = 1/N Σ -ln softmax(W x + b)[y] + |W|² / (2 C N)        two classes: -ln σ(±(w·x + b))
 *
 * Yields before every iteration.
 *
 * @param vectors N vectors of one length, finite
 * @param labels N classes from 0 on
 * @param classes at least 2
 */
export function* fitLogistic(
  vectors: readonly Float32Array[],
  labels: readonly number[],
  classes: number,
  options: LogisticOptions = sklearnDefaults,
): Generator<void, LogisticModel> {
  const features = vectors[0]!.length;
  const rows = classes === 2 ? 1 : classes;
  const { x, iterations, converged } = yield* minimize(
    objective(vectors, labels, rows),
    new Float64Array(rows * (features + 1)),
    options,
  );
  return { classes, weights: x.subarray(0, rows * features), intercepts: x.subarray(rows * features), iterations, converged };
}

/** The likeliest class of each vector; of equal ones the first. */
export function predict({ classes, weights, intercepts }: LogisticModel, vectors: readonly Float32Array[]): number[] {
  const scores = new Float64Array(intercepts.length);
  return vectors.map((vector) => {
    intercepts.forEach((start, row) => {
      let sum = start;
      const from = row * vector.length;
      for (let i = 0; i < vector.length; i++) sum += weights[from + i]! * vector[i]!;
      scores[row] = sum;
    });
    if (classes === 2) return Number(scores[0]! > 0);
    return scores.indexOf(scores.reduce((most, score) => Math.max(most, score)));
  });
}

/** f and its gradient at [W, b], [rows · features + rows]. */
function objective(vectors: readonly Float32Array[], labels: readonly number[], rows: number): Objective {
  const features = vectors[0]!.length;
  const samples = vectors.length;
  const bias = rows * features;
  const x = new Float64Array(Math.ceil(samples / block) * block * features); // [N rounded up, features], zeros at the end
  vectors.forEach((vector, i) => x.set(vector, i * features));
  const scores = new Float64Array(block * rows); // [block, rows]: first scores, then the loss's derivatives by them
  const link = rows === 1 ? binaryLink : softmaxLink;

  return (at, gradient) => {
    let loss = 0;
    gradient.fill(0);
    for (let start = 0; start < samples; start += block) {
      multiply(at, x, start * features, features, rows, scores);
      for (let i = 0; i < block; i++) {
        const own = scores.subarray(i * rows, (i + 1) * rows);
        if (start + i < samples) loss += link(own, labels[start + i]!, samples);
        else own.fill(0);
      }
      accumulate(gradient, x, start * features, features, rows, scores);
    }
    for (let i = 0; i < bias; i++) {
      loss += (at[i]! * at[i]!) / (2 * C * samples);
      gradient[i]! += at[i]! / (C * samples);
    }
    return loss;
  };
}

/** scores[i, row] = W[row] · x[i] + b[row] for the samples of a block. */
function multiply(at: Float64Array, x: Float64Array, from: number, features: number, rows: number, scores: Float64Array): void {
  const [x1, x2, x3] = [from + features, from + 2 * features, from + 3 * features];
  for (let row = 0; row < rows; row++) {
    const w = row * features;
    const start = at[rows * features + row]!;
    let [s0, s1, s2, s3] = [start, start, start, start];
    for (let i = 0; i < features; i++) {
      const weight = at[w + i]!;
      s0 += weight * x[from + i]!;
      s1 += weight * x[x1 + i]!;
      s2 += weight * x[x2 + i]!;
      s3 += weight * x[x3 + i]!;
    }
    scores[row] = s0;
    scores[rows + row] = s1;
    scores[2 * rows + row] = s2;
    scores[3 * rows + row] = s3;
  }
}

/** Adds a block's share of the gradient: derivatives[i, row] · x[i] to W[row], derivatives[i, row] to b[row]. */
function accumulate(gradient: Float64Array, x: Float64Array, from: number, features: number, rows: number, derivatives: Float64Array): void {
  const [x1, x2, x3] = [from + features, from + 2 * features, from + 3 * features];
  for (let row = 0; row < rows; row++) {
    const w = row * features;
    const d0 = derivatives[row]!;
    const d1 = derivatives[rows + row]!;
    const d2 = derivatives[2 * rows + row]!;
    const d3 = derivatives[3 * rows + row]!;
    for (let i = 0; i < features; i++) gradient[w + i]! += d0 * x[from + i]! + d1 * x[x1 + i]! + d2 * x[x2 + i]! + d3 * x[x3 + i]!;
    gradient[rows * features + row]! += d0 + d1 + d2 + d3;
  }
}

/** -ln softmax(scores)[label] / N; leaves (softmax(scores) - one-hot(label)) / N in their place. */
function softmaxLink(scores: Float64Array, label: number, samples: number): number {
  const most = scores.reduce((a, b) => Math.max(a, b));
  const own = scores[label]!;
  let sum = 0;
  for (let k = 0; k < scores.length; k++) sum += scores[k] = Math.exp(scores[k]! - most);
  for (let k = 0; k < scores.length; k++) scores[k] = (scores[k]! / sum - Number(k === label)) / samples;
  return (most + Math.log(sum) - own) / samples;
}

/** ln(1 + e^z) - label · z over N; leaves (σ(z) - label) / N in its place. */
function binaryLink(scores: Float64Array, label: number, samples: number): number {
  const z = scores[0]!;
  const rest = Math.exp(-Math.abs(z));
  scores[0] = ((z >= 0 ? 1 : rest) / (1 + rest) - label) / samples;
  return (Math.max(z, 0) + Math.log1p(rest) - label * z) / samples;
}
