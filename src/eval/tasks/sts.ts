import * as z from 'zod';
import { textField } from '../../data/rows.ts';
import { errors } from '../../errors.ts';
import { notAnObject } from '../corpus.ts';
import { cosine } from '../cosine.ts';
import { spearman } from '../statistics/spearman.ts';
import type { VectorKind } from './task.ts';

/** Two sentences, and how alike people found them; on whatever scale, because ranks alone count. */
interface ScoredPair {
  readonly sentence1: string;
  readonly sentence2: string;
  readonly score: number;
}

const rowSchema = z.object(
  { sentence1: textField('sentence1'), sentence2: textField('sentence2'), score: z.number({ error: 'score is not a finite number' }) },
  notAnObject,
);

/**
 * Semantic textual similarity: rows of `sentence1`, `sentence2` and `score`, measured by Spearman's correlation of the
 * pairs' cosines with the scores. Both sentences are encoded as queries.
 */
export const sts: VectorKind<readonly ScoredPair[]> = {
  fields: [['sentence1'], ['sentence2'], ['score']],
  shiftInvariant: false,
  read: async ({ test }, reading) => {
    const pairs = await reading.collect(test, rowSchema, (row): ScoredPair[] => [row]);
    if (new Set(pairs.map(({ score }) => score)).size < 2) throw errors.badData(`${test} gives all of its pairs one score, so that there is no order to compare: at least two different scores are needed.`);
    return pairs;
  },
  size: (pairs) => ({ pairs: pairs.length }),
  texts: (pairs) => ({ query: [...pairs.map(({ sentence1 }) => sentence1), ...pairs.map(({ sentence2 }) => sentence2)], document: [] }),
  async *measure(pairs, { query }) {
    const cosines = pairs.map((_, i) => cosine(query[i]!, query[pairs.length + i]!));
    yield { what: 'comparing pairs', done: pairs.length, total: pairs.length };
    const correlation = spearman(
      cosines,
      pairs.map(({ score }) => score),
    );
    if (Number.isNaN(correlation)) throw errors.badData('All pairs have the same cosine, so that there is no order to compare: are the sentences of each pair the same?');
    return { metrics: { spearman: correlation }, each: {}, notes: [] };
  },
};
