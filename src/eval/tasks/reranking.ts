import * as z from 'zod';
import { notAnObject } from '../corpus.ts';
import { cosine } from '../cosine.ts';
import { averagePrecision } from '../statistics/average-precision.ts';
import { mean } from '../statistics/mean.ts';
import { textsOf } from './rows.ts';
import type { VectorKind } from './task.ts';

/** A question, perhaps in several wordings, with candidates that answer it and candidates that do not. */
interface RerankingQuery {
  readonly queries: readonly string[];
  readonly positives: readonly string[];
  readonly negatives: readonly string[];
}

const rowSchema = z.object({ query: z.unknown(), positive: z.unknown(), negative: z.unknown() }, notAnObject);

/** Ranks beyond it count as not found, as in mteb. */
const mrrCutoff = 10;

/**
 * Reranking: rows of `query`, `positive` and `negative` (a text or a list each), measured by the mean over the queries of
 * the average precision of the candidates' cosines (MAP), as mteb 1.x measures it. Of several wordings of a query the
 * nearest counts. Queries carry the instruction, candidates do not.
 */
export const reranking: VectorKind<readonly RerankingQuery[]> = {
  fields: [['query'], ['positive'], ['negative']],
  shiftInvariant: false,
  read: async ({ test }, reading) =>
    reading.collect(test, rowSchema, (row, reject) => {
      const found = { queries: textsOf('query', row.query, reject), positives: textsOf('positive', row.positive, reject), negatives: textsOf('negative', row.negative, reject) };
      const missing = Object.entries(found).find(([, texts]) => texts.length === 0);
      if (missing === undefined) return [found];
      reject(`its ${missing[0]} hold no text that can be used`);
      return [];
    }),
  size: (rows) => ({ queries: rows.length, candidates: rows.reduce((sum, { positives, negatives }) => sum + positives.length + negatives.length, 0) }),
  texts: (rows) => ({
    query: rows.flatMap(({ queries }) => queries),
    document: rows.flatMap(({ positives, negatives }) => [...positives, ...negatives]),
  }),
  async *measure(rows, { query, document }) {
    let [nextQuery, nextDocument] = [0, 0];
    const precisions: number[] = [];
    const reciprocalRanks: number[] = [];
    for (const { queries, positives, negatives } of rows) {
      const asked = query.slice(nextQuery, (nextQuery += queries.length));
      const candidates = document.slice(nextDocument, (nextDocument += positives.length + negatives.length));
      const scores = candidates.map((candidate) => Math.max(...asked.map((wording) => cosine(wording, candidate))));
      const relevant = candidates.map((_, i) => i < positives.length);
      precisions.push(averagePrecision(relevant, scores));
      reciprocalRanks.push(reciprocalRank(relevant, scores));
      yield { what: 'ranking candidates', done: precisions.length, total: rows.length };
    }
    return { metrics: { map: mean(precisions), mrrAt10: mean(reciprocalRanks) }, each: { map: precisions, mrrAt10: reciprocalRanks }, notes: [] };
  },
};

/** 1 / the rank of the best relevant candidate; of equal scores the irrelevant ones stand first, so that a tie gains nothing. */
function reciprocalRank(relevant: readonly boolean[], scores: readonly number[]): number {
  const best = Math.max(...scores.filter((_, i) => relevant[i]));
  const rank = 1 + scores.filter((score, i) => !relevant[i] && score >= best).length;
  return rank > mrrCutoff ? 0 : 1 / rank;
}
