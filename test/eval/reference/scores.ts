import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What SciPy, scikit-learn, trec_eval, NumPy and mteb make of synthetic data, as `make_scores.py` wrote it down. */
export const scores = JSON.parse(readFileSync(join(import.meta.dirname, 'scores.json'), 'utf8')) as {
  readonly scale: number;
  readonly spearman: ReadonlyArray<{ readonly name: string; readonly x: number[]; readonly y: number[]; readonly value: number | null }>;
  readonly averagePrecision: ReadonlyArray<{ readonly name: string; readonly relevant: boolean[]; readonly scores: number[]; readonly value: number }>;
  readonly vMeasure: ReadonlyArray<{ readonly name: string; readonly classes: number[]; readonly clusters: number[]; readonly value: number }>;
  readonly rankings: ReadonlyArray<{ readonly name: string; readonly grades: Readonly<Record<string, number>>; readonly ranking: string[]; readonly values: Readonly<Record<string, number>> }>;
  readonly logistic: ReadonlyArray<{
    readonly name: string;
    readonly iterations: number;
    readonly train: number[][];
    readonly labels: number[];
    readonly test: number[][];
    readonly weights: number[][];
    readonly intercepts: number[];
    readonly steps: number;
    readonly predicted: number[];
  }>;
  readonly kMeans: ReadonlyArray<{ readonly name: string; readonly clusters: number; readonly vectors: number[][]; readonly classes: number[]; readonly inertia: number }>;
  readonly shuffles: ReadonlyArray<{ readonly seed: number; readonly count: number; readonly times: number; readonly first: number[]; readonly last: number[] }>;
  readonly classification: { readonly vectors: number[][]; readonly labels: number[]; readonly train: number; readonly accuracies: number[]; readonly accuracy: number };
};

/** Vectors of the file, whose whole numbers are to be divided. */
export const vectorsOf = (rows: readonly number[][]): Float32Array[] => rows.map((row) => Float32Array.from(row, (x) => x / scores.scale));

/** Runs steps to their end. */
export function finish<R>(steps: Generator<unknown, R>): R {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** The same of work that yields its progress. */
export async function ended<R>(work: AsyncGenerator<unknown, R>): Promise<R> {
  for (;;) {
    const step = await work.next();
    if (step.done) return step.value;
  }
}
