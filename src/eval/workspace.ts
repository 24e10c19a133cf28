import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { errors, throwIfCancelled } from '../errors.ts';
import { reason } from '../files.ts';
import { IndexEncoder, type IndexEncoderRequest, type OpenIndexEncoderOptions } from '../index/encoder.ts';
import { defaultFileRules } from '../index/files/defaults.ts';
import type { FileRules } from '../index/files/types.ts';
import { locateIndex, type IndexLocation } from '../index/location.ts';
import { searchModes, WorkspaceSearch, type SearchHit, type SearchMode } from '../index/search/search.ts';
import { IndexWriter } from '../index/store/writer.ts';
import { embedPending } from '../index/update/embed.ts';
import { scanWorkspace } from '../index/update/scan.ts';
import { parseJson } from '../models/json.ts';
import { pairedBootstrap, type Interval } from './bootstrap.ts';
import { meanMetrics, metricsOfHits, type Metrics, type QueryMetrics } from './metrics.ts';
import type { EvaluateProgress } from './system.ts';

const line = z.number().int().positive();
const place = z.object({ path: z.string(), startLine: line, endLine: line }).refine(({ startLine, endLine }) => startLine <= endLine);
const queriesFile = z.array(z.object({ id: z.string(), query: z.string(), relevant: z.array(place).min(1) }));

/** A question about a workspace, with the places that answer it; lines are 1-based, both included. */
export type WorkspaceQuery = z.infer<typeof queriesFile>[number];

/** One way of searching, with how well it did. */
export interface WorkspaceSystem {
  /** Undefined for words alone. */
  readonly model: string | undefined;
  readonly mode: SearchMode;
  readonly metrics: Metrics;
  readonly each: readonly QueryMetrics[];
  /** What it has over words alone, 95 %; undefined for those. */
  readonly overWords: { readonly mrrAt10: Interval; readonly ndcgAt10: Interval } | undefined;
}

export interface WorkspaceEvaluation {
  readonly queries: number;
  readonly files: number;
  readonly chunks: number;
  /** Files that answer queries and are not indexed: no system can find them. */
  readonly missing: number;
  readonly systems: readonly WorkspaceSystem[];
}

export interface WorkspaceEvaluationOptions extends OpenIndexEncoderOptions {
  readonly models: readonly IndexEncoderRequest[];
  readonly rules?: FileRules | undefined;
  /** Of the bootstrap. */
  readonly seed: number;
}

/** The questions of a file. Errors: NOT_FOUND, BAD_DATA. */
export async function readWorkspaceQueries(file: string): Promise<WorkspaceQuery[]> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw errors.notFound(`The queries ${file} cannot be read: ${reason(error)}.`, error);
  });
  const parsed = queriesFile.safeParse(jsonOf(text, file));
  if (!parsed.success) throw errors.badData(`${file} has no queries of a workspace: a list of {id, query, relevant: [{path, startLine, endLine}]}.`, parsed.error);
  if (parsed.data.length === 0) throw errors.badData(`${file} holds no query.`);
  return parsed.data;
}

function jsonOf(text: string, file: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    throw errors.badData(`${file} cannot be read: ${(error as Error).message}.`, error);
  }
}

/**
 * Indexes a workspace apart from any index that it has, and asks it: by words alone, and by each model's vectors alone and
 * fused with words, as `search` does. A hit is a chunk that overlaps a relevant place; each place counts once, where it is
 * first found.
 *
 * @throws NOT_FOUND, BAD_DATA (no relevant file is indexed), WRITE_FAILED, CANCELLED, and what opening and running a model throws
 */
export async function* evaluateWorkspace(workspace: string, queries: readonly WorkspaceQuery[], options: WorkspaceEvaluationOptions): AsyncGenerator<EvaluateProgress, WorkspaceEvaluation> {
  const { signal, seed, models, rules = defaultFileRules } = options;
  const { root } = await locateIndex(options.home, workspace);
  const folder = await mkdtemp(join(tmpdir(), 'l3prune-eval-'));
  const location: IndexLocation = { root, folder, database: join(folder, 'index.sqlite'), lock: join(folder, 'lock'), waiting: folder };
  let writer: IndexWriter | undefined;
  try {
    writer = IndexWriter.open(location.database);
    const scanning = scanWorkspace(writer, root, { rules, signal });
    for (;;) {
      const step = await scanning.next();
      if (step.done) break;
      yield { what: 'reading files', done: step.value.seen, total: step.value.seen };
    }
    const missing = countMissing(queries, new Set(writer.files().map(({ path }) => path)), workspace);
    const { files, chunks, ...words } = yield* ask(location, queries, 'lexical', 'by words', options);
    const systems: WorkspaceSystem[] = [{ model: undefined, mode: 'lexical', ...words, overWords: undefined }];
    for (const request of models) {
      const name = yield* embed(writer, root, request, rules, options);
      for (const mode of searchModes.filter((known) => known !== 'lexical').toReversed()) {
        const { metrics, each } = yield* ask(location, queries, mode, `by ${name}, ${mode}`, options);
        const over = (metric: 'mrrAt10' | 'ndcgAt10'): Interval =>
          pairedBootstrap(
            each.map((query) => query[metric]),
            words.each.map((query) => query[metric]),
            seed,
          );
        systems.push({ model: name, mode, metrics, each, overWords: { mrrAt10: over('mrrAt10'), ndcgAt10: over('ndcgAt10') } });
      }
    }
    return { queries: queries.length, files, chunks, missing, systems };
  } finally {
    writer?.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** How many files that answer queries are not indexed. Errors: BAD_DATA where all are. */
function countMissing(queries: readonly WorkspaceQuery[], paths: ReadonlySet<string>, workspace: string): number {
  const relevant = new Set(queries.flatMap(({ relevant }) => relevant.map(({ path }) => path)));
  const missing = [...relevant].filter((path) => !paths.has(path));
  if (missing.length === relevant.size) throw errors.badData(`None of the files that answer the queries is indexed in ${workspace}, as ${missing[0]}: is it the root of the workspace that they are about?`);
  return missing.length;
}

/** Gives every chunk its vector of a model; the model's name with its depth. */
async function* embed(writer: IndexWriter, root: string, request: IndexEncoderRequest, { mostBytes }: FileRules, options: WorkspaceEvaluationOptions): AsyncGenerator<EvaluateProgress, string> {
  const encoder = await IndexEncoder.open(request, options);
  try {
    const { name, layers } = encoder.source;
    const title = `${name}, ${layers} ${layers === 1 ? 'layer' : 'layers'}`;
    const stored = writer.setTargetEncoder(encoder.fingerprint, encoder.dimensions, encoder.source);
    const embedding = embedPending(writer, { encoder, stored, root, mostBytes, pace: nobodyWaits, mostSeconds: () => Infinity, signal: options.signal });
    for await (const { done, total } of embedding) yield { what: `embedding with ${title}`, done, total };
    writer.activate(stored);
    return title;
  } finally {
    await encoder.dispose();
  }
}

async function* nobodyWaits(): AsyncGenerator<string, void> {}

async function* ask(
  location: IndexLocation,
  queries: readonly WorkspaceQuery[],
  mode: SearchMode,
  what: string,
  options: WorkspaceEvaluationOptions,
): AsyncGenerator<EvaluateProgress, Pick<WorkspaceSystem, 'metrics' | 'each'> & Pick<WorkspaceEvaluation, 'files' | 'chunks'>> {
  const search = WorkspaceSearch.openAt(location, { ...options, patienceMilliseconds: Infinity });
  try {
    const each: QueryMetrics[] = [];
    for (const [i, { query, relevant }] of queries.entries()) {
      throwIfCancelled(options.signal);
      const { hits } = await search.search({ query, limit: 100, mode });
      each.push(rangeMetrics(hits, relevant));
      yield { what: `asking ${what}`, done: i + 1, total: queries.length };
    }
    const { files, chunks } = search.status();
    return { metrics: meanMetrics(each), each, files, chunks };
  } finally {
    await search.close();
  }
}

/** How well a ranking of chunks finds places: each counts once, where a chunk first overlaps it. */
export function rangeMetrics(hits: ReadonlyArray<Pick<SearchHit, 'path' | 'startLine' | 'endLine'>>, relevant: WorkspaceQuery['relevant']): QueryMetrics {
  const found = relevant.flatMap(({ path, startLine, endLine }) => {
    const at = hits.findIndex((hit) => hit.path === path && hit.startLine <= endLine && hit.endLine >= startLine);
    return at < 0 ? [] : [{ rank: at + 1, grade: 1 }];
  });
  return metricsOfHits(
    found.sort((a, b) => a.rank - b.rank),
    relevant.map(() => 1),
  );
}
