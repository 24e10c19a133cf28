import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { kMeans } from '../../src/eval/learning/k-means.ts';
import { minimize } from '../../src/eval/learning/lbfgs.ts';
import { fitLogistic, predict, sklearnDefaults } from '../../src/eval/learning/logistic-regression.ts';
import { MersenneTwister } from '../../src/eval/learning/mersenne-twister.ts';
import { vMeasure } from '../../src/eval/statistics/v-measure.ts';
import { finish, scores, vectorsOf } from './reference/scores.ts';

describe('minimize', () => {
  test('finds the minimum of a function that bends in every direction', () => {
    // Rosenbrock's function in 10 dimensions, 0 at (1, …, 1).
    const n = 10;
    const rosenbrock = (x: Float64Array, gradient: Float64Array): number => {
      gradient.fill(0);
      let value = 0;
      for (let i = 0; i + 1 < n; i++) {
        const [a, b] = [1 - x[i]!, x[i + 1]! - x[i]! ** 2];
        value += a ** 2 + 100 * b ** 2;
        gradient[i]! -= 2 * a + 400 * x[i]! * b;
        gradient[i + 1]! += 200 * b;
      }
      return value;
    };
    const found = finish(minimize(rosenbrock, new Float64Array(n), { maxIterations: 500, gradientTolerance: 1e-8 }));
    expect(found.converged).toBe(true);
    for (const x of found.x) expect(x).toBeCloseTo(1, 6);
  });

  test('stops at once where there is nothing to gain, and at a function that is not finite', () => {
    const start = Float64Array.of(3);
    expect(finish(minimize((_, gradient) => (gradient.fill(0), 1), start, sklearnDefaults))).toMatchObject({ iterations: 0, converged: true });
    expect(finish(minimize((_, gradient) => (gradient.fill(NaN), NaN), start, sklearnDefaults))).toMatchObject({ iterations: 0, converged: false });
  });
});

describe('logistic regression', () => {
  test.each(scores.logistic)("takes scikit-learn's steps to its weights with $name", ({ train, labels, test, weights, intercepts, steps, predicted, iterations }) => {
    const classes = new Set(labels).size;
    const model = finish(fitLogistic(vectorsOf(train), labels, classes, { ...sklearnDefaults, maxIterations: iterations }));
    expect(model.iterations).toBe(steps);
    expect(model.converged).toBe(steps < iterations);
    const largest = Math.max(...weights.flat().map(Math.abs));
    // A hundred steps from the solution differences of rounding have grown.
    const tolerance = (model.converged ? 1e-6 : 1e-4) * largest;
    for (const [i, weight] of weights.flat().entries()) expect(Math.abs(model.weights[i]! - weight)).toBeLessThan(tolerance);
    for (const [i, intercept] of intercepts.entries()) expect(Math.abs(model.intercepts[i]! - intercept)).toBeLessThan(tolerance);
    expect(predict(model, vectorsOf(test))).toEqual(predicted);
  });

  test('fits as many samples as there are, whatever the block that is multiplied at once', () => {
    for (const count of [2, 3, 5, 8]) {
      const vectors = Array.from({ length: count }, (_, i) => Float32Array.of(i % 2 ? 1 : -1, 0.5));
      const labels = vectors.map((_, i) => i % 2);
      expect(predict(finish(fitLogistic(vectors, labels, 2)), vectors)).toEqual(labels);
    }
  });
});

describe('MersenneTwister', () => {
  test.each(scores.shuffles)('shuffles $count items $times times as NumPy does from $seed', ({ seed, count, times, first, last }) => {
    const items = Array.from({ length: count }, (_, i) => i);
    for (let i = 0; i < times; i++) new MersenneTwister(seed).shuffle(items);
    expect(items.slice(0, 12)).toEqual(first);
    expect(items.slice(-12)).toEqual(last);
  });
});

describe('kMeans', () => {
  const options = { restarts: 8, maxIterations: 100, seed: 42 };

  test.each(scores.kMeans)("finds the partition of scikit-learn's hundred starts in $name", ({ vectors, clusters, inertia }) => {
    const found = finish(kMeans(vectorsOf(vectors), { ...options, restarts: 100, clusters }));
    expect(Math.abs(found.inertia - inertia)).toBeLessThan(1e-5 * inertia);
  });

  test('puts blobs that lie apart into the clusters that they are', () => {
    const { vectors, classes, clusters } = scores.kMeans[0]!;
    expect(vMeasure(classes, finish(kMeans(vectorsOf(vectors), { ...options, clusters })).clusters)).toBeCloseTo(1, 12);
  });

  test('is the same for the same seed', () => {
    const { vectors, clusters } = scores.kMeans[1]!;
    const once = finish(kMeans(vectorsOf(vectors), { ...options, clusters, restarts: 1 }));
    expect(finish(kMeans(vectorsOf(vectors), { ...options, clusters, restarts: 1 }))).toEqual(once);
  });

  test('does not change when all vectors are moved by one', () => {
    const { vectors, clusters } = scores.kMeans[1]!;
    const moved = vectors.map((vector) => vector.map((x, i) => x + 1000 * (i - 2)));
    expect(finish(kMeans(vectorsOf(moved), { ...options, clusters })).clusters).toEqual(finish(kMeans(vectorsOf(vectors), { ...options, clusters })).clusters);
  });

  test('leaves clusters empty where there are fewer different vectors', () => {
    const two = [0, 1, 0, 1, 0].map((x) => Float32Array.of(x, 0));
    const found = finish(kMeans(two, { ...options, clusters: 4 }));
    expect(found.inertia).toBe(0);
    expect(vMeasure([0, 1, 0, 1, 0], found.clusters)).toBe(1);
  });

  test('puts every vector into the nearest of the means', () => {
    const points = fc.array(fc.tuple(fc.integer({ min: -20, max: 20 }), fc.integer({ min: -20, max: 20 })), { minLength: 6, maxLength: 40 });
    fc.assert(
      fc.property(points, fc.integer({ min: 1, max: 5 }), (rows, clusters) => {
        const found = finish(kMeans(rows.map((row) => Float32Array.from(row)), { ...options, restarts: 2, clusters }));
        const means = [...new Set(found.clusters)].map((cluster) => {
          const own = rows.filter((_, n) => found.clusters[n] === cluster);
          return { cluster, mean: [0, 1].map((axis) => own.reduce((sum, row) => sum + row[axis]!, 0) / own.length) };
        });
        const distance = (row: readonly number[], mean: readonly number[]): number => (row[0]! - mean[0]!) ** 2 + (row[1]! - mean[1]!) ** 2;
        for (const [n, row] of rows.entries()) {
          const own = distance(row, means.find(({ cluster }) => cluster === found.clusters[n])!.mean);
          expect(own).toBeLessThanOrEqual(Math.min(...means.map(({ mean }) => distance(row, mean))) + 1e-3);
        }
      }),
      { numRuns: 50 },
    );
  });
});
