import * as z from 'zod';
import { anyText, textField } from './rows.ts';
import type { Triplet } from './triplet.ts';

const listOf = (field: string) => z.preprocess((value) => (Array.isArray(value) ? value : [value]), z.array(textField(field)));

/**
 * A row as people write it: `query`, `positive` (a text, or a list of which the first counts), any number of negatives
 * under `negative` or `negatives` (a text, a list, null) and perhaps an `instruction`; other fields are ignored.
 */
export const trainingRow = z
  .object(
    {
      query: textField('query'),
      positive: listOf('positive').refine((texts) => texts.length > 0, 'positive is empty'),
      negative: listOf('negative').nullish(),
      negatives: listOf('negatives').nullish(),
      instruction: anyText('instruction').nullish(),
    },
    { error: 'is not a JSON object' },
  )
  .transform((row): Triplet => {
    const negatives = [...(row.negative ?? []), ...(row.negatives ?? [])];
    const triplet = { query: row.query, positive: row.positive[0] as string, negatives };
    return row.instruction?.trim() ? { ...triplet, instruction: row.instruction } : triplet;
  });

/** The same with at least one negative, as a profile needs it. */
export const tripletRow = trainingRow.refine((triplet) => triplet.negatives.length > 0, 'negative is missing');
