import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { meanMetrics, queryMetrics, type QueryMetrics } from '../../src/eval/metrics.ts';
import { scores } from './reference/scores.ts';

const numbered = (letter: string, from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `${letter}${from + i}`);

/** Relevant ids, ranking, and what Python's ir_measures 0.4.3 gives: RR@10, nDCG@10, R@1, R@10, R@100. */
const cases: ReadonlyArray<readonly [string, string[], string[], [number, number, number, number, number]]> = [
  ['first', ['d3'], ['d3', 'd1', 'd2'], [1, 1, 1, 1, 1]],
  ['third', ['d9'], ['d1', 'd2', 'd9'], [0.333333, 0.5, 0, 1, 1]],
  [
    'several relevant ones',
    ['x1', 'x2', 'x3'],
    ['x2', 'n1', 'x1', ...numbered('n', 2, 12), 'x3'],
    [1, 0.703918, 0.333333, 0.666667, 1],
  ],
  ['eleventh', ['y'], [...numbered('n', 0, 10), 'y'], [0, 0, 0, 0, 1]],
  ['not found', ['z'], ['n1', 'n2'], [0, 0, 0, 0, 0]],
  [
    'more relevant ones than the cutoff',
    numbered('r', 0, 12),
    [...numbered('r', 0, 5), ...numbered('n', 0, 20), ...numbered('r', 5, 9)],
    [1, 0.648932, 0.083333, 0.416667, 0.75],
  ],
];
/** Documents that are all of grade 1. */
const grade1 = <Id>(ids: readonly Id[]): Map<Id, number> => new Map(ids.map((id) => [id, 1]));
const values = (m: QueryMetrics): number[] => [m.mrrAt10, m.ndcgAt10, m.recallAt1, m.recallAt10, m.recallAt100];

describe('metrics', () => {
  test.each(cases)('of a ranking: %s', (_name, relevant, ranking, expected) => {
    values(queryMetrics(ranking, grade1(relevant))).forEach((value, i) => expect(value).toBeCloseTo(expected[i] as number, 6));
  });

  test.each(scores.rankings)('are what trec_eval has for $name', ({ grades, ranking, values }) => {
    const relevant = new Map(Object.entries(grades).filter(([, grade]) => grade > 0));
    const metrics = queryMetrics(ranking, relevant);
    for (const [name, value] of Object.entries(values)) expect(Math.abs(metrics[name as keyof QueryMetrics] - value)).toBeLessThan(1e-12);
  });

  test('are averaged over the queries', () => {
    const mean = meanMetrics(cases.map(([, relevant, ranking]) => queryMetrics(ranking, grade1(relevant))));
    expect(mean.queries).toBe(6);
    [0.555556, 0.475475, 0.236111, 0.513889, 0.791667].forEach((value, i) => expect(values(mean)[i]).toBeCloseTo(value, 6));
  });

  test('lie between 0 and 1, and are 1 where everything relevant stands first', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(200), { minLength: 1 }), fc.integer({ min: 1, max: 10 }), (ranking, count) => {
        const scattered = values(queryMetrics(ranking, grade1(numbered('', 0, count).map(Number))));
        expect(scattered.every((value) => value >= 0 && value <= 1)).toBe(true);
        const best = queryMetrics(ranking, grade1(ranking.slice(0, count)));
        expect([best.mrrAt10, best.ndcgAt10, best.recallAt10, best.recallAt100]).toEqual([1, 1, 1, 1]);
      }),
    );
  });
});
