import { setImmediate } from 'node:timers/promises';
import { throwIfCancelled } from '../errors.ts';
import { Bm25, type Ranked } from '../text/bm25.ts';
import { fuse, fusionDepth } from '../text/fusion.ts';
import type { Corpus, CorpusQuery } from './corpus.ts';
import { CosineRanking } from './cosine.ts';
import { calibrated, embedTexts, type TaskVectors } from './embed.ts';
import { meanMetrics, queryMetrics, type QueryMetrics } from './metrics.ts';
import { systemName, type Contestant, type EvaluateProgress, type SystemScore, type Variant } from './system.ts';

/** A ranking of documents for each query, best first, as deep as the fusion goes. */
export type Rankings = readonly (readonly Ranked[])[];

/** A corpus with what BM25 makes of it, which every encoder is measured beside. */
export interface Baseline {
  readonly corpus: Corpus;
  readonly rankings: Rankings;
  readonly score: SystemScore;
}

/** Ranks a corpus by BM25. Errors: CANCELLED. */
export async function* rankLexically(corpus: Corpus, signal?: AbortSignal): AsyncGenerator<EvaluateProgress, Baseline> {
  const index = new Bm25(corpus.documents.map(({ text }) => text));
  const rankings = yield* rankAll(corpus, 'ranking with BM25', ({ query }, top) => index.search(query, top), signal);
  return { corpus, rankings, score: scoreOf(corpus, undefined, 'bm25', rankings) };
}

/**
 * Ranks a corpus by one encoder: by its vectors as they are and calibrated, each alone and fused with BM25.
 *
 * @param instruction replaces the checkpoint's own; an empty one is none
 * Errors: NOTHING_TO_POOL, NOT_FINITE, ENGINE, CANCELLED.
 */
export async function* evaluateRetrieval(
  { corpus, rankings: lexical }: Baseline,
  contestant: Contestant,
  { instruction, signal }: { readonly instruction?: string | undefined; readonly signal?: AbortSignal | undefined } = {},
): AsyncGenerator<EvaluateProgress, SystemScore[]> {
  const { name, calibration } = contestant;
  const texts = { query: corpus.queries.map(({ query }) => query), document: corpus.documents.map(({ text }) => text) };
  const vectors = yield* embedTexts(contestant, texts, instruction, signal);
  const raw = yield* rankByVectors(corpus, name, vectors, signal);
  const centred = yield* rankByVectors(corpus, name, calibrated(vectors, calibration), signal);
  const fused = (rankings: Rankings): Rankings => rankings.map((ranking, i) => fuse(lexical[i]!, ranking));
  const variants: ReadonlyArray<readonly [Variant, Rankings]> = [
    ['raw', raw],
    ['calibrated', centred],
    ['raw+bm25', fused(raw)],
    ['calibrated+bm25', fused(centred)],
  ];
  return variants.map(([variant, rankings]) => scoreOf(corpus, name, variant, rankings));
}

/** Ranks a corpus by vectors of its queries and documents. Errors: NOT_FINITE, CANCELLED. */
export async function* rankByVectors(corpus: Corpus, name: string, { query, document }: TaskVectors, signal?: AbortSignal): AsyncGenerator<EvaluateProgress, Rankings> {
  const ranking = new CosineRanking(document);
  return yield* rankAll(corpus, `ranking with ${name}`, (_, top, i) => ranking.rank(query[i]!, top), signal);
}

/** One query after the other, so that a cancel is heard between them. */
async function* rankAll(
  { queries, documents, ignoreIdenticalIds }: Corpus,
  what: string,
  rank: (query: CorpusQuery, top: number, i: number) => readonly Ranked[],
  signal: AbortSignal | undefined,
): AsyncGenerator<EvaluateProgress, Rankings> {
  const rankings: Ranked[][] = [];
  for (const [i, query] of queries.entries()) {
    throwIfCancelled(signal);
    const others = (index: number): boolean => !ignoreIdenticalIds || documents[index]!.id !== query.id;
    const ranked = rank(query, fusionDepth + Number(ignoreIdenticalIds), i);
    rankings.push(ranked.filter(({ index }) => others(index)).slice(0, fusionDepth));
    yield { what, done: i + 1, total: queries.length };
    await setImmediate();
  }
  return rankings;
}

/** How well rankings answer a corpus's queries. */
export function scoreOf(corpus: Corpus, model: string | undefined, variant: Variant, rankings: Rankings): SystemScore {
  const each = corpus.queries.map(({ relevant }, i) =>
    queryMetrics(
      rankings[i]!.map(({ index }) => corpus.documents[index]!.id),
      relevant,
    ),
  );
  const { queries: _, ...metrics } = meanMetrics(each);
  const of = (metric: keyof QueryMetrics): number[] => each.map((query) => query[metric]);
  return { system: systemName(model, variant), model, variant, metrics, each: { mrrAt10: of('mrrAt10'), ndcgAt10: of('ndcgAt10') } };
}
