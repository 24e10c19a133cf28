import * as z from 'zod';
import { textField } from '../../data/rows.ts';
import { errors } from '../../errors.ts';
import { notAnObject } from '../corpus.ts';
import { cosine } from '../cosine.ts';
import { averagePrecision } from '../statistics/average-precision.ts';
import { entryOf } from './rows.ts';
import type { VectorKind } from './task.ts';

/** Two sentences, and whether they belong together. */
interface LabelledPair {
  readonly sentence1: string;
  readonly sentence2: string;
  readonly positive: boolean;
}

/** A row is a pair, or lists of them; benchmarks have both, and two spellings. */
const rowSchema = z
  .record(z.string(), z.unknown(), notAnObject)
  .transform(({ sent1, sent2, labels, ...row }): Record<string, unknown> => ({ sentence1: sent1, sentence2: sent2, label: labels, ...row }));

const labelSchema = (field: string): z.ZodType<boolean> =>
  z
    .union([z.literal(0), z.literal(1), z.boolean()], { error: ({ input }) => (input === undefined ? `${field} is missing` : `${field} is neither 0 nor 1`) })
    .transform(Boolean);

/**
 * Pair classification: rows of `sentence1`, `sentence2` and `label` (0 or 1), or one row of lists of them, measured by
 * the average precision of the pairs' cosines. mteb reports the best of several similarities as `max_ap`; this is its
 * `cosine_ap`. Both sentences are encoded as queries.
 */
export const pairClassification: VectorKind<readonly LabelledPair[]> = {
  fields: [
    ['sentence1', 'sent1'],
    ['sentence2', 'sent2'],
    ['label', 'labels'],
  ],
  shiftInvariant: false,
  read: async ({ test }, reading) => {
    const pairs = await reading.collect(test, rowSchema, pairsOf);
    for (const wanted of [true, false])
      if (pairs.every(({ positive }) => positive !== wanted)) throw errors.badData(`${test} holds no pair of the label ${Number(wanted)}: there have to be pairs that belong together and pairs that do not.`);
    return pairs;
  },
  size: (pairs) => ({ pairs: pairs.length }),
  texts: (pairs) => ({ query: [...pairs.map(({ sentence1 }) => sentence1), ...pairs.map(({ sentence2 }) => sentence2)], document: [] }),
  async *measure(pairs, { query }) {
    const cosines = pairs.map((_, i) => cosine(query[i]!, query[pairs.length + i]!));
    yield { what: 'comparing pairs', done: pairs.length, total: pairs.length };
    const relevant = pairs.map(({ positive }) => positive);
    return { metrics: { averagePrecision: averagePrecision(relevant, cosines) }, each: {}, notes: [] };
  },
};

function pairsOf({ sentence1, sentence2, label }: Record<string, unknown>, reject: (reason: string) => void): LabelledPair[] {
  if (!Array.isArray(sentence1)) return pairOf([sentence1, sentence2, label], '', reject);
  if (!Array.isArray(sentence2) || !Array.isArray(label) || sentence2.length !== sentence1.length || label.length !== sentence1.length) {
    reject('sentence1, sentence2 and label are not lists of one length');
    return [];
  }
  return sentence1.flatMap((first, i) => pairOf([first, sentence2[i], label[i]], `[${i}]`, reject));
}

function pairOf([first, second, label]: readonly [unknown, unknown, unknown], place: string, reject: (reason: string) => void): LabelledPair[] {
  const sentence1 = entryOf(textField(`sentence1${place}`), first, reject);
  const sentence2 = sentence1 === undefined ? undefined : entryOf(textField(`sentence2${place}`), second, reject);
  const positive = sentence2 === undefined ? undefined : entryOf(labelSchema(`label${place}`), label, reject);
  return positive === undefined ? [] : [{ sentence1: sentence1!, sentence2: sentence2!, positive }];
}
