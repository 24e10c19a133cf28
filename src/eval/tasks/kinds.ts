import { classification } from './classification.ts';
import { clustering } from './clustering.ts';
import { pairClassification } from './pair-classification.ts';
import { reranking } from './reranking.ts';
import { sts } from './sts.ts';
import type { TaskKind, VectorKind } from './task.ts';

/** The metric of a kind that counts: its name among the metrics, and how a table calls it. */
export const mainMetrics: Readonly<Record<TaskKind, { readonly metric: string; readonly title: string }>> = {
  retrieval: { metric: 'ndcgAt10', title: 'nDCG@10' },
  reranking: { metric: 'map', title: 'MAP' },
  sts: { metric: 'spearman', title: 'Spearman' },
  'pair-classification': { metric: 'averagePrecision', title: 'AP (cosine)' },
  classification: { metric: 'accuracy', title: 'accuracy' },
  clustering: { metric: 'vMeasure', title: 'V-measure' },
};

export const taskKinds = Object.keys(mainMetrics) as readonly TaskKind[];

/** Hands the kind of a name to whoever can use any of them: what a kind's data is, only the kind knows. */
type AnyKind = <R>(use: <Data>(kind: VectorKind<Data>) => R) => R;

/** The kinds that are done with vectors alone; retrieval has a corpus and is ranked beside BM25. */
export const vectorKinds: Readonly<Record<Exclude<TaskKind, 'retrieval'>, AnyKind>> = {
  reranking: (use) => use(reranking),
  sts: (use) => use(sts),
  'pair-classification': (use) => use(pairClassification),
  classification: (use) => use(classification),
  clustering: (use) => use(clustering),
};
