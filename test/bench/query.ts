import { join } from 'node:path';
import { IndexEncoder } from '../../src/index/encoder.ts';
import { locateIndex } from '../../src/index/location.ts';
import { parseQuery } from '../../src/index/search/query.ts';
import { fieldWeights, WorkspaceSearch } from '../../src/index/search/search.ts';
import { ChunkVectors } from '../../src/index/search/vectors.ts';
import { vectorBytes } from '../../src/index/scan/quantize.ts';
import { VectorTable } from '../../src/index/scan/vector-table.ts';
import { IndexReader } from '../../src/index/store/reader.ts';
import { megabytes, median, quantile, times, type Measure } from './report.ts';
import { inSearchProcess } from './search-process.ts';
import { encodedLayers, type Setup } from './setup.ts';
import { openWorkspace, workspaceFolder } from './workspace/build.ts';
import { openLargeIndex, type LargeIndex } from './workspace/large-index.ts';

const chunks = 100_000;
const queryCount = 200;
/** Queries before any that counts. */
const warmUp = 10;
const fewestWords = 2;
const mostWords = 15;
const hits = 10;
/** Of each ranking that is fused. */
const depth = 100;
const scans = 15;
const childQueries = 50;
const allowedBytes = 250e6;

/** Queries on an index of 100,000 chunks, whole and by stage; opening it in a fresh process, and what that takes. */
export async function queries(setup: Setup): Promise<Measure[]> {
  const { root: workspace } = await openWorkspace(workspaceFolder(setup.cache));
  const where = { home: setup.scratch, threads: setup.threads, engine: 'onnx' } as const;
  const encoder = await IndexEncoder.open({ model: setup.checkpoint.directory, layers: encodedLayers(setup) }, where);
  const large = await openLargeIndex(workspace, join(setup.cache, `index-${chunks}`), encoder, chunks);
  const texts = queryTexts(setup);
  const measures = [...(await answers(setup, large, encoder, texts)), await scanAlone(large, encoder, texts)];
  await encoder.dispose();
  return [...measures, ...(await freshProcess(setup, large, encoder, texts))];
}

/** The beginnings of sentences that document functions, of every length. */
function queryTexts({ triplets }: Setup): string[] {
  const words = triplets.map(({ query }) => query.trim().split(/\s+/)).filter(({ length }) => length >= fewestWords);
  return Array.from({ length: queryCount }, (_, i) => words[i % words.length]!.slice(0, fewestWords + (i % (mostWords - fewestWords + 1))).join(' '));
}

const stages = ['taking it apart', 'tokenizing and embedding', 'ranking by vectors', 'ranking by words', 'the status of the index', 'the rest: letters, files, snippets'] as const;
type Stage = (typeof stages)[number];

/** Each query as a whole, and then part by part, as a search calls its parts. */
async function answers({ threads }: Setup, { root, home }: LargeIndex, encoder: IndexEncoder, texts: readonly string[]): Promise<Measure[]> {
  const search = await WorkspaceSearch.open(root, { home, threads, engine: 'onnx', patienceMilliseconds: Infinity });
  await search.ready();
  const reader = IndexReader.open(search.location.database);
  const vectors = new ChunkVectors(reader.activeEncoder()!);
  vectors.refresh(reader);
  const wholes: number[] = [];
  const parts: Record<Stage, number>[] = [];
  for (const query of [...texts.slice(0, warmUp), ...texts]) {
    const whole = await timed(() => search.search({ query, limit: hits, mode: 'hybrid' }));
    const { hits: found, notes } = whole.result;
    if (found.length < hits || notes.length > 0) throw new Error(`"${query}" has ${found.length} results: ${notes.join(' ')}`);
    const parsed = await timed(() => parseQuery(query));
    const { words, isUnfinished } = parsed.result;
    const embedded = await timed(() => encoder.embedQuery(query));
    const byVectors = await timed(() => vectors.rank(embedded.result!, depth, { files: undefined, kinds: undefined }, (id) => reader.place(id) !== undefined));
    const byWords = await timed(() => reader.rankByWords(words, { prefix: isUnfinished, weights: fieldWeights, top: depth }));
    const status = await timed(() => search.status());
    const took = [parsed, embedded, byVectors, byWords, status].map(({ milliseconds }) => milliseconds);
    const rest = whole.milliseconds - took.reduce((a, b) => a + b, 0);
    wholes.push(whole.milliseconds);
    parts.push(Object.fromEntries(stages.map((stage, i) => [stage, [...took, rest][i]!])) as Record<Stage, number>);
  }
  reader.close();
  await search.close();
  const counted = wholes.slice(warmUp);
  const [p50, p95] = [quantile(counted, 0.5), quantile(counted, 0.95)];
  return [
    {
      what: `hybrid search, ${chunks} chunks, ${queryCount} queries of ${fewestWords} to ${mostWords} words, ${threads} threads: ms, p50 / p95`,
      ours: `${p50.toFixed(1)} / ${p95.toFixed(1)}`,
      against: `fastest ${Math.min(...counted).toFixed(1)}, slowest ${Math.max(...counted).toFixed(1)}`,
      ratio: `${times(p50 / 60)} / ${times(p95 / 120)} of what is allowed`,
      asked: '≤ 60 / ≤ 120',
    },
    ...stages.map((stage) => {
      const all = parts.slice(warmUp).map((part) => part[stage]);
      return { what: `of that, ${stage}: ms, p50 / p95`, ours: `${quantile(all, 0.5).toFixed(2)} / ${quantile(all, 0.95).toFixed(2)}`, against: '–', ratio: '–', asked: 'measured' };
    }),
  ];
}

async function timed<R>(work: () => R | Promise<R>): Promise<{ result: R; milliseconds: number }> {
  const start = performance.now();
  const result = await work();
  return { result, milliseconds: performance.now() - start };
}

/** The products of a query with all vectors of the index, beside copying them once, in turn. */
async function scanAlone({ root, home }: LargeIndex, encoder: IndexEncoder, texts: readonly string[]): Promise<Measure> {
  const reader = IndexReader.open((await locateIndex(home, root)).database);
  const table = new VectorTable(encoder.dimensions, chunks);
  const values = new Int8Array(chunks * encoder.dimensions);
  reader.eachVector(reader.activeEncoder()!, 0, ({ vector }) => values.set(vector.subarray(0, encoder.dimensions), table.addPacked(vector) * encoder.dimensions));
  reader.close();
  const query = (await encoder.embedQuery(texts[0]!))!;
  const copied = new Int8Array(values.length);
  const copies: number[] = [];
  const products: number[] = [];
  // The first touches the memory and does not count.
  for (let round = 0; round <= scans; round++) {
    const start = performance.now();
    copied.set(values);
    const between = performance.now();
    table.scores(query);
    products.push(performance.now() - between);
    copies.push(between - start);
  }
  const [ours, against] = [products, copies].map((all) => median(all.slice(1))) as [number, number];
  return {
    what: `the scan alone, ${table.length} vectors of ${encoder.dimensions}: ms, median of ${scans}`,
    ours: ours.toFixed(2),
    against: `${against.toFixed(2)} copying them once by Int8Array.set`,
    ratio: times(ours / against),
    asked: '≤ 2 ×',
  };
}

/**
 * The search in a process of its own, from its start. What the encoder takes is the largest memory of a process that opens
 * it alone and embeds one query, less that of a process that does nothing.
 */
async function freshProcess({ scratch, threads, rounds }: Setup, { root, home }: LargeIndex, encoder: IndexEncoder, texts: readonly string[]): Promise<Measure[]> {
  const peak = async (of: Promise<{ readonly peakAnonymousBytes: number }>): Promise<number> => (await of).peakAnonymousBytes;
  const idle = await peak(inSearchProcess('idle', {}));
  const alone = await peak(inSearchProcess('encoder', { home: scratch, threads, source: encoder.source, query: texts[0]! }));
  const ready: number[] = [];
  const answered: number[] = [];
  const peaks: number[] = [];
  let found = 0;
  for (let round = 0; round < rounds; round++) {
    const { answer, peakAnonymousBytes } = await inSearchProcess('search', { home, threads, workspace: root, queries: texts.slice(0, childQueries) });
    ready.push(answer.readySeconds);
    answered.push(answer.firstSeconds);
    peaks.push(peakAnonymousBytes);
    found = answer.chunks;
  }
  const vectors = found * vectorBytes(encoder.dimensions);
  const limit = vectors + (alone - idle) + allowedBytes;
  return [
    {
      what: `opening an index of ${found} chunks with its encoder: seconds from the start of a process until all is there, median of ${rounds}`,
      ours: median(ready).toFixed(2),
      against: `${median(answered).toFixed(2)} until the first answer`,
      ratio: `${times(median(ready) / 2)} of what is allowed`,
      asked: '< 2 s',
    },
    {
      what: `opening and ${childQueries} queries: largest RssAnon, 20 times a second, most of ${rounds} processes`,
      ours: megabytes(Math.max(...peaks)),
      against: `${megabytes(vectors)} of vectors, ${megabytes(alone - idle)} of encoder (${megabytes(alone)} with the process, which takes ${megabytes(idle)})`,
      ratio: `${times(Math.max(...peaks) / limit)} of what is allowed`,
      asked: `≤ ${megabytes(limit)} (vectors + encoder + ${megabytes(allowedBytes)})`,
    },
  ];
}
