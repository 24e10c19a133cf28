import { Random } from '../../random.ts';
import { dot } from '../../dot.ts';

export interface KMeansOptions {
  readonly clusters: number;
  /** Starts that are tried; the partition with the least inertia is kept. */
  readonly restarts: number;
  readonly maxIterations: number;
  readonly seed: number;
}

export interface Partition {
  /** The cluster of each vector; not every cluster has one where vectors are equal. */
  readonly clusters: Int32Array;
  /** Sum of the squared distances to the own cluster's mean. */
  readonly inertia: number;
}

/**
 * k-means by Lloyd's algorithm from greedy k-means++ starts (Arthur and Vassilvitskii 2007; the candidates a step are
 * scikit-learn's, 2 + ⌊ln k⌋), the best of several restarts. The same seed gives the same partition. Yields before every
 * iteration.
 *
 * @param vectors N vectors of one length, finite
 */
export function* kMeans(vectors: readonly Float32Array[], { clusters, restarts, maxIterations, seed }: KMeansOptions): Generator<void, Partition> {
  const points = new Points(vectors);
  const random = Random.fromSeed(seed);
  let best: Partition | undefined;
  for (let start = 0; start < restarts; start++) {
    const found = yield* lloyd(points, yield* plusPlus(points, clusters, random), maxIterations);
    if (best === undefined || found.inertia < best.inertia) best = found;
  }
  return best!;
}

/** The vectors in one array, with their squared lengths, so that |a - b|² = |a|² - 2 a·b + |b|². */
class Points {
  readonly count: number;
  readonly size: number;
  /** [count, size] row-major */
  readonly values: Float32Array;
  readonly squares: Float64Array;

  constructor(vectors: readonly Float32Array[]) {
    this.count = vectors.length;
    this.size = vectors[0]!.length;
    this.values = new Float32Array(this.count * this.size);
    // Distances do not change when all points move; around their mean there are no large numbers to cancel.
    const mean = new Float64Array(this.size);
    for (const vector of vectors) for (let i = 0; i < this.size; i++) mean[i]! += vector[i]! / this.count;
    vectors.forEach((vector, n) => {
      for (let i = 0; i < this.size; i++) this.values[n * this.size + i] = vector[i]! - mean[i]!;
    });
    this.squares = Float64Array.from(vectors, (_, n) => dot(this.row(n), this.row(n)));
  }

  row(n: number): Float32Array {
    return this.values.subarray(n * this.size, (n + 1) * this.size);
  }
}

/** Centres, [clusters, size], each a point: drawn by its squared distance to those before it, the best of a few draws. */
function* plusPlus(points: Points, clusters: number, random: Random): Generator<void, Float32Array> {
  const centres = new Float32Array(clusters * points.size);
  const candidates = 2 + Math.floor(Math.log(clusters));
  let chosen = random.integer(points.count);
  let nearest: Float64Array = distancesTo(points, chosen);
  centres.set(points.row(chosen), 0);
  for (let cluster = 1; cluster < clusters; cluster++) {
    yield;
    let best: { readonly point: number; readonly distances: Float64Array; readonly sum: number } | undefined;
    for (let candidate = 0; candidate < candidates; candidate++) {
      const point = draw(nearest, random);
      const distances = distancesTo(points, point).map((distance, n) => Math.min(distance, nearest[n]!));
      const sum = distances.reduce((a, b) => a + b, 0);
      if (best === undefined || sum < best.sum) best = { point, distances, sum };
    }
    ({ point: chosen, distances: nearest } = best!);
    centres.set(points.row(chosen), cluster * points.size);
  }
  return centres;
}

/** An index drawn in proportion to its weight; any where all weights are 0. */
function draw(weights: Float64Array, random: Random): number {
  let left = random.float() * weights.reduce((a, b) => a + b, 0);
  for (let i = 0; i < weights.length; i++) {
    left -= weights[i]!;
    if (left < 0) return i;
  }
  return random.integer(weights.length);
}

function distancesTo(points: Points, to: number): Float64Array {
  const centre = points.row(to);
  return points.squares.map((square, n) => Math.max(0, square - 2 * dot(points.row(n), centre) + points.squares[to]!));
}

/** Assigns and averages until no point moves. */
function* lloyd(points: Points, centres: Float32Array, maxIterations: number): Generator<void, Partition> {
  const clusters = new Int32Array(points.count).fill(-1);
  const distances = new Float64Array(points.count); // Of each point to its own centre.
  for (let iteration = 0; iteration < maxIterations; iteration++) {
    yield;
    if (!assign(points, centres, clusters, distances)) break;
    average(points, centres, clusters, distances);
  }
  assign(points, centres, clusters, distances);
  return { clusters, inertia: distances.reduce((a, b) => a + b, 0) };
}

/** Puts every point into the cluster of the nearest centre; whether any moved. */
function assign(points: Points, centres: Float32Array, clusters: Int32Array, distances: Float64Array): boolean {
  const { size } = points;
  const rows = Array.from({ length: centres.length / size }, (_, k) => centres.subarray(k * size, (k + 1) * size));
  const squares = rows.map((row) => dot(row, row));
  let moved = false;
  for (let n = 0; n < points.count; n++) {
    const point = points.row(n);
    let [own, least] = [0, Infinity];
    for (let k = 0; k < rows.length; k++) {
      const distance = squares[k]! - 2 * dot(point, rows[k]!);
      if (distance < least) [own, least] = [k, distance];
    }
    distances[n] = Math.max(0, least + points.squares[n]!);
    moved ||= clusters[n] !== own;
    clusters[n] = own;
  }
  return moved;
}

/** Moves every centre to its points' mean; one that has none to the point that is farthest from its own. */
function average(points: Points, centres: Float32Array, clusters: Int32Array, distances: Float64Array): void {
  const { size } = points;
  const counts = new Int32Array(centres.length / size);
  for (const cluster of clusters) counts[cluster]!++;
  const farthest = Uint32Array.from(distances, (_, n) => n);
  if (counts.includes(0)) farthest.sort((a, b) => distances[b]! - distances[a]! || a - b);
  let taken = 0;
  for (let k = 0; k < counts.length; k++) {
    if (counts[k]! > 0) continue;
    // From a cluster that keeps others, so that no hole is filled by making another.
    while (taken < farthest.length && counts[clusters[farthest[taken]!]!]! < 2) taken++;
    const point = farthest[taken++];
    if (point === undefined || distances[point] === 0) break; // Fewer different points than clusters.
    counts[clusters[point]!]!--;
    counts[k] = 1;
    clusters[point] = k;
  }
  const sums = new Float64Array(centres.length);
  for (let n = 0; n < points.count; n++) {
    const to = clusters[n]! * size;
    const from = n * size;
    for (let i = 0; i < size; i++) sums[to + i]! += points.values[from + i]!;
  }
  for (let k = 0; k < counts.length; k++)
    if (counts[k]! > 0) for (let i = k * size; i < (k + 1) * size; i++) centres[i] = sums[i]! / counts[k]!;
}
