import type { Triplet } from '../data/triplet.ts';
import type { EncoderText } from '../encoder/prompt.ts';
import type { EncoderInput } from '../encoder/prompt.ts';

/** A contrastive batch as the model reads it: document i answers query i, all further ones are hard negatives. */
export interface ContrastiveBatch {
  readonly queries: readonly EncoderText[];
  readonly documents: readonly EncoderText[];
  /** Added to the scores, [queries,documents]: 0, or a large negative number where a document is no negative of a query. */
  readonly negatives: Float32Array;
}

/** exp of it is an exact 0. */
const masked = -1e30;

/**
 * Rows as a batch: positives first, then every row's hard negatives in the rows' order. A document with the text of a
 * query's own positive is no negative of that query (a false negative in the batch), nor is a positive of the same query.
 */
export function contrastiveBatch(
  rows: readonly Triplet[],
  prepare: (input: EncoderInput) => EncoderText,
  separator: string,
): ContrastiveBatch {
  const texts = [...rows.map((row) => row.positive), ...rows.flatMap((row) => row.negatives)];
  const negatives = new Float32Array(rows.length * texts.length);
  rows.forEach((row, query) => {
    const answers = new Set(rows.filter((other) => other.query === row.query).map((other) => other.positive));
    texts.forEach((text, document) => {
      if (document !== query && answers.has(text)) negatives[query * texts.length + document] = masked;
    });
  });
  return {
    queries: rows.map(({ query, instruction }) => prepare({ text: query, ...(instruction === undefined ? {} : { instruction, separator }) })),
    documents: texts.map((text) => prepare({ text })),
    negatives,
  };
}
