import type { Triplet } from '../data/triplet.ts';
import { prepareText, type EncoderInput, type EncoderText } from '../encoder/prompt.ts';
import { errors, L3PruneError } from '../errors.ts';
import type { Tokenizer } from '../models/types.ts';
import { contrastiveBatch, type ContrastiveBatch } from './batch.ts';
import type { TrainingSettings } from './settings.ts';

/** The rows of a batch that can be encoded, as the model reads them, and how many there are beside. */
export interface PreparedBatch {
  /** Those rows, each with the hard negatives that are taken of it. */
  readonly rows: readonly Triplet[];
  readonly batch: ContrastiveBatch;
  readonly skipped: number;
}

/**
 * Tokenizes a batch. A row in which a text has nothing to pool, because its instruction fills all that is read or it has
 * no token, is left out: that hours are lost by one of a million rows helps nobody. Errors: BAD_DATA where fewer than
 * two are left.
 */
export function prepareBatch(
  rows: readonly Triplet[],
  tokenizer: Tokenizer,
  { maxLength, hardNegatives, separator }: Pick<TrainingSettings, 'maxLength' | 'hardNegatives' | 'separator'>,
): PreparedBatch {
  const prepared = new Map<string, EncoderText>();
  const prepare = (input: EncoderInput): EncoderText => {
    const key = JSON.stringify([input.instruction, input.text]);
    const text = prepared.get(key) ?? prepareText(tokenizer, input, maxLength);
    prepared.set(key, text);
    return text;
  };
  const all = rows.map((row) => (hardNegatives === null ? row : { ...row, negatives: row.negatives.slice(0, hardNegatives) }));
  const { usable, why } = withSomethingToPool(all, (row) => contrastiveBatch([row], prepare, separator));
  if (usable.length < 2) throw errors.badData(`Only ${usable.length} of the ${rows.length} rows of a batch can be encoded. ${why}`);
  const batch = contrastiveBatch(usable, prepare, separator);
  if (!hasNegative(batch)) throw errors.badData('The rows of a batch have one and the same positive and no hard negative, so that there is nothing to tell apart: give rows with different answers.');
  return { rows: usable, batch, skipped: rows.length - usable.length };
}

/** Whether any query has a document beside its own that counts. */
function hasNegative({ negatives, documents }: ContrastiveBatch): boolean {
  return negatives.some((masked, i) => masked === 0 && i % documents.length !== Math.floor(i / documents.length));
}

/** The rows of which `prepare` can make something, and why the last other one cannot be encoded. Throws what else it throws. */
export function withSomethingToPool<R>(rows: readonly R[], prepare: (row: R) => unknown): { readonly usable: readonly R[]; readonly why: string } {
  let why = '';
  const usable = rows.filter((row) => {
    try {
      prepare(row);
      return true;
    } catch (error) {
      if (!(error instanceof L3PruneError && error.code === 'NOTHING_TO_POOL')) throw error;
      why = error.message;
      return false;
    }
  });
  return { usable, why };
}
