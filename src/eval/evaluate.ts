import { applyCalibration, type Calibration } from '../encoder/calibration.ts';
import type { Encoder } from '../encoder/encoder.ts';
import { vectorsOf } from '../encoder/vectors.ts';
import type { CheckpointEncoderSettings } from '../prune/manifest.ts';
import { Bm25 } from '../text/bm25.ts';
import { pairedBootstrap, type Interval } from './bootstrap.ts';
import type { Corpus } from './corpus.ts';
import { rankByCosine, subtractMean } from './cosine.ts';
import { fuse } from './fusion.ts';
import { meanMetrics, queryMetrics, type Metrics, type QueryMetrics } from './metrics.ts';

/** One way of ranking the corpus, with how well it did. */
export interface SystemScore {
  readonly system: string;
  readonly metrics: Metrics;
  /** MRR@10 against BM25's on the same queries, with its 95 % interval; undefined for BM25 itself. */
  readonly againstBm25: Interval | undefined;
}

/** An encoder under evaluation, by the name its rows carry. */
export interface Contestant {
  readonly name: string;
  readonly encoder: Encoder;
  readonly settings: CheckpointEncoderSettings;
  readonly calibration: Calibration | undefined;
}

export interface EvaluateProgress {
  readonly system: string;
  readonly textsDone: number;
  readonly texts: number;
}

/** How deep a ranking is kept: recall@100 and the fusion need no more. */
const depth = 100;

/** What BM25 makes of a corpus, which every other system is measured beside. */
export class Baseline {
  readonly corpus: Corpus;
  readonly rankings: readonly (readonly number[])[];
  readonly each: readonly QueryMetrics[];

  constructor(corpus: Corpus) {
    const index = new Bm25(corpus.documents.map(({ text }) => text));
    this.corpus = corpus;
    this.rankings = corpus.queries.map(({ query }) => index.search(query, depth).map((hit) => hit.index));
    this.each = scoreEach(corpus, this.rankings);
  }

  score(): SystemScore {
    return { system: 'BM25', metrics: meanMetrics(this.each), againstBm25: undefined };
  }
}

/**
 * Ranks the corpus by one encoder: its vectors as they are, with the mean taken off (the checkpoint's calibration, or
 * the corpus's own means where it keeps none), and the latter fused with BM25.
 *
 * Errors: NOTHING_TO_POOL, NOT_FINITE, ENGINE, CANCELLED.
 */
export async function* evaluateEncoder(
  baseline: Baseline,
  { name, encoder, settings, calibration }: Contestant,
  seed: number,
  signal?: AbortSignal,
): AsyncGenerator<EvaluateProgress, SystemScore[]> {
  const { corpus } = baseline;
  const { instruction, separator } = settings;
  const texts = [
    ...corpus.queries.map(({ query }) => encoder.prepare(instruction === undefined ? { text: query } : { text: query, instruction, separator })),
    ...corpus.documents.map(({ text }) => encoder.prepare({ text })),
  ];
  let textsDone = 0;
  const vectors: Float32Array[] = [];
  for await (const { place, vector } of vectorsOf(encoder, texts, signal)) {
    vectors[place] = vector;
    yield { system: name, textsDone: ++textsDone, texts: texts.length };
  }
  const queries = vectors.slice(0, corpus.queries.length);
  const documents = vectors.slice(corpus.queries.length);
  const centredQueries = calibration === undefined ? subtractMean(queries) : applyCalibration(calibration, 'query', queries);
  const centredDocuments = calibration === undefined ? subtractMean(documents) : applyCalibration(calibration, 'document', documents);

  const raw = places(rankByCosine(queries, documents, depth));
  const centred = places(rankByCosine(centredQueries, centredDocuments, depth));
  const hybrid = centred.map((ranking, i) => fuse([ranking, baseline.rankings[i]!]).map((hit) => hit.index));
  const origin = calibration === undefined ? 'of this corpus' : 'of its calibration';
  return [
    [name, raw] as const,
    [`${name}, mean ${origin} taken off`, centred] as const,
    [`${name} and BM25, fused`, hybrid] as const,
  ].map(([system, rankings]) => {
    const each = scoreEach(corpus, rankings);
    const reciprocalRanks = (all: readonly QueryMetrics[]): number[] => all.map(({ mrrAt10 }) => mrrAt10);
    return {
      system,
      metrics: meanMetrics(each),
      againstBm25: pairedBootstrap(reciprocalRanks(each), reciprocalRanks(baseline.each), seed),
    };
  });
}

function places(rankings: ReadonlyArray<ReadonlyArray<{ readonly index: number }>>): number[][] {
  return rankings.map((ranking) => ranking.map((hit) => hit.index));
}

function scoreEach(corpus: Corpus, rankings: readonly (readonly number[])[]): QueryMetrics[] {
  return corpus.queries.map(({ relevant }, i) =>
    queryMetrics(
      rankings[i]!.map((index) => corpus.documents[index]!.id),
      new Set(relevant),
    ),
  );
}
