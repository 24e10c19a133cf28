import * as z from 'zod';
import { textField } from '../../data/rows.ts';
import { notAnObject } from '../corpus.ts';
import { kMeans } from '../learning/k-means.ts';
import { deviation, mean } from '../statistics/mean.ts';
import { vMeasure } from '../statistics/v-measure.ts';
import { runSteps } from '../steps.ts';
import { entryOf, labelField, listField } from './rows.ts';
import type { VectorKind } from './task.ts';

/** Sentences that are to fall into as many clusters as they have labels. */
interface ClusterSet {
  readonly sentences: readonly string[];
  /** One a sentence. */
  readonly labels: readonly string[];
}

const settings = { restarts: 4, maxIterations: 100 } as const;

const rowSchema = z
  .object({ sentences: listField('sentences'), labels: listField('labels') }, notAnObject)
  .refine(({ sentences, labels }) => sentences.length === labels.length, 'sentences and labels are not of one length');

/**
 * Clustering: rows of `sentences` and `labels`, lists of one length, each row a set for itself, measured by the mean
 * V-measure of k-means with as many clusters as labels, on vectors as they are. mteb runs scikit-learn's
 * `MiniBatchKMeans` once a set, whose outcome hangs on its random numbers; ours is a whole k-means, the best of several
 * starts from the seed. Sentences are encoded as queries.
 */
export const clustering: VectorKind<readonly ClusterSet[]> = {
  fields: [['sentences'], ['labels']],
  shiftInvariant: true,
  read: async ({ test }, reading) =>
    reading.collect(test, rowSchema, (row, reject): ClusterSet[] => {
      const items = row.sentences.flatMap((sentence, i) => {
        const text = entryOf(textField(`sentences[${i}]`), sentence, reject);
        const label = text === undefined ? undefined : entryOf(labelField(`labels[${i}]`), row.labels[i], reject);
        return label === undefined ? [] : [{ text: text!, label }];
      });
      if (new Set(items.map(({ label }) => label)).size < 2) {
        reject('its sentences have fewer than two labels, so that there is nothing to tell apart');
        return [];
      }
      return [{ sentences: items.map(({ text }) => text), labels: items.map(({ label }) => label) }];
    }),
  size: (sets) => ({ sets: sets.length, sentences: sets.reduce((sum, { sentences }) => sum + sentences.length, 0) }),
  texts: (sets) => ({ query: sets.flatMap(({ sentences }) => sentences), document: [] }),
  async *measure(sets, { query }, { seed, signal }) {
    const measures: number[] = [];
    let next = 0;
    for (const { sentences, labels } of sets) {
      const vectors = query.slice(next, (next += sentences.length));
      const { clusters } = await runSteps(kMeans(vectors, { ...settings, clusters: new Set(labels).size, seed }), signal);
      measures.push(vMeasure(labels, clusters));
      yield { what: 'clustering', done: measures.length, total: sets.length };
    }
    return { metrics: { vMeasure: mean(measures), vMeasureDeviation: deviation(measures) }, each: { vMeasure: measures }, notes: [] };
  },
};
