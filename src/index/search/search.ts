import { setTimeout } from 'node:timers/promises';
import { announcing } from '../../announce.ts';
import { describeError, errors, L3PruneError } from '../../errors.ts';
import { fuseScores, fusionDepth, fusionWeights } from '../../text/fusion.ts';
import type { ChunkKind } from '../chunks/types.ts';
import { IndexEncoder, type OpenIndexEncoderOptions } from '../encoder.ts';
import { locateIndex, type IndexLocation } from '../location.ts';
import { IndexReader, type FieldWeights } from '../store/reader.ts';
import type { StoreCounts, StoredChunk, StoredEncoder } from '../store/types.ts';
import { FileTable, wantedKinds, type SearchFilter } from './filter.ts';
import { parseQuery, type ParsedQuery } from './query.ts';
import { readCurrent, snippetOf, type CurrentFile, type Snippet } from './snippet.ts';
import { ChunkVectors, type Wanted } from './vectors.ts';

export const searchModes = ['hybrid', 'semantic', 'lexical'] as const;
export type SearchMode = (typeof searchModes)[number];

export interface SearchRequest extends SearchFilter {
  readonly query: string;
  readonly limit: number;
  readonly mode: SearchMode;
  /** The query is code that similar code is sought for. */
  readonly isCode?: boolean | undefined;
  /** Lines that are no answer: where the code stands that similar code is sought for. */
  readonly except?: { readonly path: string; readonly startLine: number; readonly endLine: number } | undefined;
}

/** A chunk that was found. */
export interface SearchHit extends Pick<StoredChunk, 'path' | 'language' | 'symbol' | 'startLine' | 'startColumn' | 'endLine' | 'endColumn'> {
  readonly kind: ChunkKind;
  /** Of the fusion or of the one ranking; comparable within an answer alone. */
  readonly score: number;
  /** Cosine with the query, where the ranking by vectors has it. */
  readonly cosine: number | undefined;
  readonly snippet: Snippet;
  /** The file has changed since it was indexed: the place may be off. */
  readonly isChanged: boolean;
}

export interface SearchAnswer {
  readonly hits: readonly SearchHit[];
  readonly index: IndexStatus;
  /** What a person should know of this answer, a sentence each. */
  readonly notes: readonly string[];
  readonly milliseconds: number;
}

/** How much of the workspace a search sees. */
export interface IndexStatus extends StoreCounts {
  /** The name of the encoder that answers; undefined where words alone do. */
  readonly encoder: string | undefined;
  /** The share of the files that can be found by their vectors, 0 to 1; never 1 before all are. */
  readonly semanticShare: number;
  /** Whether every file has been looked at once: until then some are missing. */
  readonly isWhole: boolean;
  /** Files and folders that are left out, by reason. */
  readonly excluded: Readonly<Record<string, number>>;
}

export interface SearchOptions extends OpenIndexEncoderOptions {
  /** How long a query waits for an encoder that is still loading before words alone answer. */
  readonly patienceMilliseconds: number;
}

/** Where a word counts how much: see docs/evaluation.md. */
export const fieldWeights: FieldWeights = { path: 1, symbol: 2, body: 1 };
/** What is sought letter by letter stands before all else. */
const lettersWeight = 1;
/** Chunks that may hold a text letter by letter: so many are considered, looked at and found. */
const mostCandidates = 1000;
const mostLooks = 60;
const mostLiteral = 20;

/** Answers queries over a workspace's index while another process may write it. */
export class WorkspaceSearch {
  readonly location: IndexLocation;
  readonly #options: SearchOptions;
  #reader: IndexReader;
  readonly #files = new FileTable();
  #version: number | undefined;
  #vectors: ChunkVectors | undefined;
  #encoder: { readonly of: StoredEncoder; readonly opening: Promise<IndexEncoder | L3PruneError> } | undefined;
  #share: { readonly version: number | undefined; readonly share: number } = { version: undefined, share: 0 };

  private constructor(location: IndexLocation, options: SearchOptions, reader: IndexReader) {
    this.location = location;
    this.#options = options;
    this.#reader = reader;
  }

  /** @throws NOT_FOUND (no such workspace, or no index of it yet), BAD_INDEX, UNSUPPORTED, BUSY */
  static async open(workspace: string, options: SearchOptions): Promise<WorkspaceSearch> {
    return WorkspaceSearch.openAt(await locateIndex(options.home, workspace), options);
  }

  /** The same for an index that lies elsewhere. */
  static openAt(location: IndexLocation, options: SearchOptions): WorkspaceSearch {
    const search = new WorkspaceSearch(location, options, IndexReader.open(location.database));
    search.refresh();
    return search;
  }

  /** Sees what has been written since; begins to open the encoder. Errors: BAD_INDEX, BUSY. */
  refresh(): void {
    const version = this.#reader.version();
    if (version === this.#version) return;
    this.#reader.together(() => {
      this.#files.refresh(this.#reader);
      const encoder = this.#reader.activeEncoder();
      if (encoder === undefined) this.#vectors = undefined;
      else {
        const isOther = this.#vectors?.encoder.id !== encoder.id;
        if (isOther || this.#vectors!.isWorn) this.#vectors = new ChunkVectors(encoder);
        this.#vectors!.refresh(this.#reader);
        if (this.#encoder?.of.id !== encoder.id) this.#openEncoder(encoder);
      }
    });
    this.#version = version;
  }

  /**
   * Finds chunks. What cannot be done of it (vectors that are still missing, an encoder that is gone) is said in the
   * answer's notes, and the rest is done.
   *
   * @throws USAGE (a filter), BAD_INDEX, BUSY
   */
  search(request: SearchRequest): Promise<SearchAnswer> {
    return announcing(this.location.waiting, () => this.#search(request));
  }

  /** Waits until the encoder is open, where there is one. */
  async ready(): Promise<void> {
    await this.#encoder?.opening;
  }

  status(): IndexStatus {
    this.refresh();
    const excluded = this.#reader.excluded();
    return { ...this.#reader.counts(), encoder: this.#vectors?.encoder.source.name, semanticShare: this.#semanticShare(), isWhole: excluded !== undefined, excluded: excluded ?? {} };
  }

  async close(): Promise<void> {
    this.#reader.close();
    const encoder = await this.#encoder?.opening;
    if (encoder instanceof IndexEncoder) await encoder.dispose();
  }

  async #search(request: SearchRequest): Promise<SearchAnswer> {
    const began = performance.now();
    this.refresh();
    const query = parseQuery(request.query);
    const notes: string[] = [];
    const wanted: Wanted = { files: this.#files.wanted(request), kinds: wantedKinds(request) };
    const byVectors = request.mode === 'lexical' ? [] : await this.#rankByVectors(request, query, wanted, notes);
    // A search by vectors alone that has none falls back to words.
    const isByWords = request.mode !== 'semantic' || byVectors === undefined;
    const byWords = isByWords ? this.#rankByWords(query, wanted, request.limit) : [];
    const files = new CurrentFiles((fileId) => this.#current(fileId));
    const byLetters = isByWords ? await this.#rankByLetters(query, byWords, wanted, files) : [];
    const ranked = rank(byWords, byVectors ?? [], byLetters);
    const hits = await this.#hits(ranked, byVectors ?? [], query, request, files);
    const index = this.status();
    if (hits.length === 0) notes.push(...this.#files.notesOn(request));
    notes.push(...notesOn(query, request, index, hits.length > 0));
    return { hits, index, notes, milliseconds: performance.now() - began };
  }

  #rankByWords({ words, isUnfinished }: ParsedQuery, { files, kinds }: Wanted, limit: number): Ranked[] {
    const isWanted = files === undefined && kinds === undefined ? undefined : (id: number) => this.#isWanted(id, { files, kinds });
    return this.#reader.rankByWords(words, { prefix: isUnfinished, weights: fieldWeights, top: depthOf(limit), wanted: isWanted });
  }

  /** Chunks that hold the query letter by letter: those that words find, too, first. Found by trigrams, seen in the file. */
  async #rankByLetters({ literal }: ParsedQuery, byWords: readonly Ranked[], wanted: Wanted, files: CurrentFiles): Promise<Ranked[]> {
    if (literal === undefined) return [];
    const candidates = new Set(this.#reader.chunksWithLetters(literal, mostCandidates).filter((id) => this.#isWanted(id, wanted)));
    const found: Ranked[] = [];
    const sought = literal.toLowerCase();
    let looks = 0;
    for (const id of new Set([...byWords.map(({ id }) => id).filter((id) => candidates.has(id)), ...candidates])) {
      if (found.length === mostLiteral || looks++ === mostLooks) break;
      const chunk = this.#reader.chunk(id);
      const file = chunk && (await files.get(chunk.fileId));
      if (file === undefined) continue;
      const text = file.lines.slice(chunk!.startLine - 1, chunk!.endLine).join('\n');
      if (text.toLowerCase().includes(sought)) found.push({ id, score: 1 / (found.length + 1) });
    }
    return found;
  }

  #isWanted(id: number, { files, kinds }: Wanted): boolean {
    const chunk = this.#reader.place(id);
    return chunk !== undefined && (files === undefined || files.has(chunk.fileId)) && (kinds === undefined || kinds.has(chunk.kind));
  }

  /** Undefined where no vectors can be asked: why is among the notes. */
  async #rankByVectors({ isCode, mode, limit }: SearchRequest, { text }: ParsedQuery, wanted: Wanted, notes: string[]): Promise<Ranked[] | undefined> {
    const vectors = this.#vectors;
    if (vectors === undefined || this.#encoder === undefined || text === '') return undefined;
    const patience = mode === 'semantic' ? Infinity : this.#options.patienceMilliseconds;
    const encoder = await within(this.#encoder.opening, patience);
    if (encoder === undefined) {
      notes.push('Words alone answer this time: the encoder is still being loaded.');
      return undefined;
    }
    if (!(encoder instanceof IndexEncoder)) {
      notes.push(`Words alone answer: ${encoder.message}${encoder.code === 'USAGE' ? ` Run l3prune index --model ${vectors.encoder.source.model}.` : ''}`);
      return undefined;
    }
    const vector = await encoder.embedQuery(text, isCode ? 'document' : 'query');
    if (vector === undefined) return undefined;
    return vectors.rank(vector, depthOf(limit), wanted, (id) => this.#reader.place(id) !== undefined);
  }

  async #hits(ranked: readonly Ranked[], byVectors: readonly Ranked[], query: ParsedQuery, { limit, except }: SearchRequest, files: CurrentFiles): Promise<SearchHit[]> {
    const cosines = new Map(byVectors.map(({ id, score }) => [id, score]));
    // Read side by side, though not all may be needed.
    await Promise.all(ranked.slice(0, limit).flatMap(({ id }) => this.#reader.place(id)?.fileId ?? []).map((fileId) => files.get(fileId)));
    const hits: SearchHit[] = [];
    for (const { id, score } of ranked) {
      if (hits.length >= limit) break;
      const chunk = this.#reader.chunk(id);
      if (chunk === undefined || (except !== undefined && overlaps(chunk, except))) continue;
      const file = await files.get(chunk.fileId);
      // What is gone is no answer.
      if (file === undefined || chunk.startLine > file.lines.length) continue;
      const { path, language, kind, symbol, startLine, startColumn, endLine, endColumn } = chunk;
      hits.push({ path, language, kind, symbol, startLine, startColumn, endLine, endColumn, score, cosine: cosines.get(id), snippet: snippetOf(chunk, file, query), isChanged: file.isChanged });
    }
    return hits;
  }

  async #current(fileId: number): Promise<CurrentFile | undefined> {
    const stored = this.#reader.storedFile(fileId);
    return stored === undefined ? undefined : readCurrent(this.location.root, stored);
  }

  #openEncoder(of: StoredEncoder): void {
    const before = this.#encoder?.opening;
    const opening = (async () => {
      const earlier = await before;
      if (earlier instanceof IndexEncoder) await earlier.dispose();
      const encoder = await IndexEncoder.open(of.source, this.#options);
      if (encoder.fingerprint === of.fingerprint) return encoder;
      await encoder.dispose();
      return errors.otherRun(`${of.source.model} has changed since the workspace was indexed with it: run l3prune index --model ${of.source.model}.`);
    })().catch((error: unknown) => {
      const { code, message } = describeError(error);
      return error instanceof L3PruneError ? error : new L3PruneError(code, message, { cause: error });
    });
    this.#encoder = { of, opening };
  }

  #semanticShare(): number {
    if (this.#vectors === undefined) return 0;
    if (this.#share.version !== this.#version) this.#share = { version: this.#version, share: this.#reader.embeddedFiles(this.#vectors.encoder) };
    return this.#share.share;
  }
}

function overlaps(chunk: StoredChunk, { path, startLine, endLine }: NonNullable<SearchRequest['except']>): boolean {
  return chunk.path === path && chunk.startLine <= endLine && chunk.endLine >= startLine;
}

/** How deep each ranking goes: as for the fusion that was measured, and as far as is asked for. */
function depthOf(limit: number): number {
  return Math.max(fusionDepth, limit);
}

interface Ranked {
  readonly id: number;
  readonly score: number;
}

/** One ranking as it is, several fused. */
function rank(byWords: readonly Ranked[], byVectors: readonly Ranked[], byLetters: readonly Ranked[]): readonly Ranked[] {
  const all = [byLetters, byWords, byVectors].filter((ranked) => ranked.length > 0);
  if (all.length < 2) return all[0] ?? [];
  const rankingOf = (ranked: readonly Ranked[]) => ranked.map(({ id, score }) => ({ index: id, score }));
  return fuseScores([
    { ranked: rankingOf(byLetters), weight: lettersWeight, from: 'zero' },
    { ranked: rankingOf(byWords), weight: fusionWeights.words, from: 'zero' },
    { ranked: rankingOf(byVectors), weight: fusionWeights.vectors, from: 'least' },
  ]).map(({ index, score }) => ({ id: index, score }));
}

/** Files as they are now, each read once for an answer. */
class CurrentFiles {
  readonly #read: (fileId: number) => Promise<CurrentFile | undefined>;
  readonly #known = new Map<number, Promise<CurrentFile | undefined>>();

  constructor(read: (fileId: number) => Promise<CurrentFile | undefined>) {
    this.#read = read;
  }

  get(fileId: number): Promise<CurrentFile | undefined> {
    let file = this.#known.get(fileId);
    if (file === undefined) this.#known.set(fileId, (file = this.#read(fileId)));
    return file;
  }
}

function notesOn({ text, words }: ParsedQuery, { mode }: SearchRequest, { encoder, semanticShare, files, isWhole }: IndexStatus, hasFound: boolean): string[] {
  if (text === '') return ['The query is empty: write what you look for.'];
  if (!isWhole) return [`The index is being built: ${files} files so far.`];
  if (files === 0) return ['The index is empty: no file of this workspace is indexed; l3prune index --dry-run says why.'];
  const notes: string[] = [];
  if (words.length === 0 && !hasFound) notes.push('The query has no word to look for: write what the code does, or a name in it.');
  if (mode === 'lexical') return notes;
  if (encoder === undefined) notes.push('Words alone answer: the workspace has no encoder yet; l3prune index --model M gives it one.');
  else if (semanticShare < 1) notes.push(`Semantic results for ${Math.floor(semanticShare * 100)} % of the files.`);
  return notes;
}

/** What a promise gives within a time; undefined where it takes longer. */
async function within<T>(promise: Promise<T>, milliseconds: number): Promise<T | undefined> {
  if (milliseconds === Infinity) return promise;
  const timer = new AbortController();
  try {
    return await Promise.race([promise, setTimeout(milliseconds, undefined, { signal: timer.signal }).catch(() => undefined)]);
  } finally {
    timer.abort();
  }
}
