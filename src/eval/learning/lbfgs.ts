import { lineSearch } from './line-search.ts';

/** A smooth function: gives its value at x and writes its gradient. */
export type Objective = (x: Float64Array, gradient: Float64Array) => number;

export interface LbfgsOptions {
  readonly maxIterations: number;
  /** Done where no component of the gradient is larger. */
  readonly gradientTolerance: number;
}

export interface Minimum {
  readonly x: Float64Array;
  readonly value: number;
  readonly iterations: number;
  /** False where the iterations ran out. */
  readonly converged: boolean;
}

/** Pairs of steps and gradient changes that are remembered. */
const memory = 10;
/** Done where an iteration lowers the value by less than this share of it. */
const valueTolerance = 64 * Number.EPSILON;
const mostTrials = 50;

/** A step s and the change y of the gradient that it made, with s·y. */
interface Pair {
  readonly step: Float64Array;
  readonly change: Float64Array;
  readonly product: number;
}

/**
 * Minimizes a function by L-BFGS (Liu and Nocedal 1989) from a start, in the steps that L-BFGS-B 3.0 takes where nothing
 * is bounded (memory 10, line search of Moré and Thuente), with the tolerances that scikit-learn gives it: what has not
 * converged within the iterations stands where scikit-learn's stands. Yields before every iteration.
 */
export function* minimize(objective: Objective, start: Float64Array, { maxIterations, gradientTolerance }: LbfgsOptions): Generator<void, Minimum> {
  const n = start.length;
  let x = Float64Array.from(start);
  let gradient = new Float64Array(n);
  let value = objective(x, gradient);
  let pairs: Pair[] = [];
  let iterations = 0;
  const isFlat = (): boolean => gradient.every((g) => Math.abs(g) <= gradientTolerance);
  while (!isFlat()) {
    if (iterations === maxIterations) return { x, value, iterations, converged: false };
    yield;
    const direction = descent(pairs, gradient);
    const slope = dot(gradient, direction);
    const found = slope < 0 ? searchAlong(objective, x, { value, slope }, direction, iterations === 0) : undefined;
    if (found === undefined) {
      // A direction that leads nowhere: forget the curvature and go straight down; if that is what was done, it is over.
      if (pairs.length === 0) return { x, value, iterations, converged: false };
      pairs = [];
      continue;
    }
    iterations++;
    const lowered = value - found.value;
    const scale = Math.max(Math.abs(value), Math.abs(found.value), 1);
    const step = direction.map((d) => d * found.length);
    const change = found.gradient.map((g, i) => g - gradient[i]!);
    ({ x, value, gradient } = found);
    if (lowered <= valueTolerance * scale) break;
    const product = dot(step, change);
    if (product > Number.EPSILON * -slope * found.length) pairs = [...pairs.slice(1 - memory), { step, change, product }];
  }
  return { x, value, iterations, converged: true };
}

/** -H · gradient by the two-loop recursion, H the inverse Hessian as the pairs have it; -gradient where there are none. */
function descent(pairs: readonly Pair[], gradient: Float64Array): Float64Array {
  const direction = gradient.map((g) => -g);
  const shares = pairs.map(() => 0);
  for (let i = pairs.length - 1; i >= 0; i--) {
    const { step, change, product } = pairs[i]!;
    shares[i] = dot(step, direction) / product;
    addTo(direction, change, -shares[i]!);
  }
  const newest = pairs.at(-1);
  if (newest !== undefined) {
    const scale = newest.product / dot(newest.change, newest.change);
    direction.forEach((d, i) => (direction[i] = d * scale));
  }
  for (const [i, { step, change, product }] of pairs.entries()) addTo(direction, step, shares[i]! - dot(change, direction) / product);
  return direction;
}

/** The point that the line search ends at, or undefined where it does not within its trials. */
function searchAlong(
  objective: Objective,
  from: Float64Array,
  start: { readonly value: number; readonly slope: number },
  direction: Float64Array,
  first: boolean,
): { x: Float64Array<ArrayBuffer>; value: number; gradient: Float64Array<ArrayBuffer>; length: number } | undefined {
  const search = lineSearch(start, first ? 1 / Math.sqrt(dot(direction, direction)) : 1);
  let { value: length, done } = search.next();
  for (let trial = 0; trial < mostTrials && !done; trial++) {
    const step = length as number;
    const x = from.map((value, i) => value + step * direction[i]!);
    const gradient = new Float64Array(from.length);
    const value = objective(x, gradient);
    ({ value: length, done } = search.next({ value, slope: dot(gradient, direction) }));
    if (done) return { x, value, gradient, length: step };
  }
  return undefined;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function addTo(target: Float64Array, source: Float64Array, factor: number): void {
  for (let i = 0; i < target.length; i++) target[i]! += factor * source[i]!;
}
