import { isDeepStrictEqual } from 'node:util';
import { throwIfCancelled } from '../../errors.ts';
import { IndexEncoder, type IndexEncoderRequest, type OpenIndexEncoderOptions } from '../encoder.ts';
import { defaultFileRules } from '../files/defaults.ts';
import { compileGlobs } from '../files/globs.ts';
import { partsToLookAt } from '../files/parts.ts';
import type { FileRules } from '../files/types.ts';
import { ProgressQueue } from '../../prune/progress-queue.ts';
import { locateIndex, prepareLocation, type IndexLocation } from '../location.ts';
import type { StoredEncoder } from '../store/types.ts';
import { isDamaged } from '../store/database.ts';
import { IndexWriter, type Rebuilt } from '../store/writer.ts';
import { acquireWriterLock, checkHeld, type WriterLock } from '../writer-lock.ts';
import { embedPending, type EmbedProgress, type EmbedResult } from './embed.ts';
import { Pace } from './pace.ts';
import { scanWorkspace, type ScanProgress, type ScanResult } from './scan.ts';

/** How far an index is. */
export type IndexProgress =
  | { readonly phase: 'texts'; readonly texts: ScanProgress }
  | { readonly phase: 'encoder'; readonly what: string; readonly doneBytes: number; readonly totalBytes: number | undefined }
  | { readonly phase: 'vectors'; readonly vectors: EmbedProgress }
  /** Something that a person should know, in a sentence. */
  | { readonly phase: 'notice'; readonly notice: string };

/** So many files that are new leave the tables of words in pieces that every query would pay for. */
const manyFiles = 500;

/** What bringing an index up to date has done. */
export interface IndexResult {
  readonly texts: ScanResult;
  /** Undefined where the workspace has no encoder: it is searched by words alone. */
  readonly vectors: (EmbedResult & { readonly encoder: StoredEncoder }) | undefined;
}

export interface IndexOptions extends Omit<OpenIndexEncoderOptions, 'onProgress'> {
  /** What is asked for, over what was asked for before and the defaults; it is kept. */
  readonly rules: Partial<FileRules>;
  /** Embeds also while a training runs, or on battery. */
  readonly regardless: boolean;
}

/**
 * A workspace's index for the process that keeps it up to date. While one is open no other process writes it.
 */
export class WorkspaceIndex {
  readonly location: IndexLocation;
  #options: IndexOptions;
  readonly #lock: WriterLock;
  #writer: IndexWriter;
  #encoder: { readonly of: IndexEncoderRequest; readonly opened: IndexEncoder } | undefined;
  readonly #notices: string[] = [];
  #closing: Promise<void> | undefined;

  private constructor(location: IndexLocation, options: IndexOptions, lock: WriterLock, writer: IndexWriter) {
    this.location = location;
    this.#options = options;
    this.#lock = lock;
    this.#writer = writer;
  }

  /** @throws NOT_FOUND (no such workspace), BUSY (another process writes it), UNSUPPORTED (of a newer version), WRITE_FAILED */
  static async open(workspace: string, options: IndexOptions): Promise<WorkspaceIndex> {
    const location = await locateIndex(options.home, workspace);
    await prepareLocation(location);
    const lock = await acquireWriterLock(location);
    try {
      const { writer, rebuilt } = IndexWriter.openOrRebuild(location.database);
      const index = new WorkspaceIndex(location, options, lock, writer);
      if (rebuilt !== undefined) index.#notices.push(noticeOf(rebuilt));
      return index;
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** For what is asked from now on; an encoder that is open stays. */
  setOptions(options: IndexOptions): void {
    this.#options = options;
  }

  /**
   * Brings the index up to date: first the words, then the vectors.
   *
   * @param request the encoder that the workspace is to have; what it had before where left out
   * @param only files and folders that may have changed, from the root; the whole workspace where left out
   * @throws NOT_FOUND, BAD_INDEX, WRITE_FAILED, BUSY, USAGE, CANCELLED, and what opening and running a model throws
   */
  update(request?: IndexEncoderRequest, only?: readonly string[]): AsyncGenerator<IndexProgress, IndexResult> {
    return this.#mended((whole) => this.#update(request, whole ? undefined : only));
  }

  /** Does work once more with an empty index where this one turns out to be damaged: all of it can be made again. */
  async *#mended<R>(work: (whole: boolean) => AsyncGenerator<IndexProgress, R>): AsyncGenerator<IndexProgress, R> {
    for (const notice of this.#notices.splice(0)) yield { phase: 'notice', notice };
    const before = this.#writer;
    try {
      return yield* work(false);
    } catch (error) {
      // One that is set aside meanwhile, by an update of the words between two steps of this one, is closed.
      if (!isDamaged(error) && this.#writer === before) throw error;
      if (this.#writer === before) yield { phase: 'notice', notice: this.#rebuild() };
      return yield* work(true);
    }
  }

  #rebuild(): string {
    this.#writer.close();
    const { writer, rebuilt } = IndexWriter.rebuild(this.location.database);
    this.#writer = writer;
    return noticeOf(rebuilt!);
  }

  /** Nothing where it is closed already. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    try {
      this.#writer.close();
      await this.#encoder?.opened.dispose();
    } finally {
      await this.#lock.release();
    }
  }

  /** Brings the words alone up to date. Errors: as `update`. */
  updateTexts(only?: readonly string[]): AsyncGenerator<IndexProgress, ScanResult> {
    return this.#mended((whole) => this.#scan(whole ? undefined : only));
  }

  async *#scan(only: readonly string[] | undefined): AsyncGenerator<IndexProgress, ScanResult> {
    const { rules, areNew } = this.#rules();
    const scanning = scanWorkspace(this.#writer, this.location.root, {
      rules,
      only: only === undefined || areNew ? undefined : partsToLookAt(only),
      beforeWrite: () => checkHeld(this.#lock),
      signal: this.#options.signal,
    });
    for (;;) {
      const step = await scanning.next();
      yield { phase: 'texts', texts: step.value };
      if (!step.done) continue;
      if (step.value.indexed >= manyFiles) this.#writer.optimize();
      return step.value;
    }
  }

  async *#update(request: IndexEncoderRequest | undefined, only: readonly string[] | undefined): AsyncGenerator<IndexProgress, IndexResult> {
    const texts = yield* this.#scan(only);
    throwIfCancelled(this.#options.signal);
    const before = this.#writer.targetEncoder();
    const wanted = request ?? before?.source;
    if (wanted === undefined) return { texts, vectors: undefined };
    if (only === undefined) this.#writer.dropMisfits();
    if (request === undefined && before !== undefined && this.#writer.activeEncoder()?.id === before.id && this.#hasAll(before)) return { texts, vectors: { embedded: 0, tokens: 0, seconds: 0, skipped: 0, encoder: before } };
    const encoder = yield* this.#open(wanted);
    const stored = this.#writer.setTargetEncoder(encoder.fingerprint, encoder.dimensions, encoder.source);
    const result = yield* this.#embedAll(encoder, stored);
    if (this.#hasAll(stored)) this.#writer.activate(stored);
    this.#writer.dropOrphans();
    return { texts, vectors: { ...result, encoder: stored } };
  }

  /** The rules in force, and whether they were others before. Errors: USAGE for a glob that is malformed, which is not kept. */
  #rules(): { readonly rules: FileRules; readonly areNew: boolean } {
    const before = this.#writer.rules();
    const asked = { ...before, ...this.#options.rules };
    const rules = { ...defaultFileRules, ...asked };
    const areNew = !isDeepStrictEqual(asked, before);
    if (areNew) {
      compileGlobs(rules);
      this.#writer.setRules(asked);
    }
    return { rules, areNew };
  }

  #hasAll(encoder: StoredEncoder): boolean {
    return this.#writer.pending(encoder, 0, 1).length === 0;
  }

  /** Opens the encoder, once for as long as it is the same. */
  async *#open(request: IndexEncoderRequest): AsyncGenerator<IndexProgress, IndexEncoder> {
    if (this.#encoder !== undefined) {
      const { of, opened } = this.#encoder;
      if (isSame(request, of) || isSame(request, opened.source)) return opened;
      this.#encoder = undefined;
      await opened.dispose();
    }
    yield { phase: 'encoder', what: 'opening the encoder', doneBytes: 0, totalBytes: undefined };
    // A model may have to be fetched or converted first.
    const opening = new ProgressQueue<IndexProgress, IndexEncoder>((push) => IndexEncoder.open(request, { ...this.#options, onProgress: (progress) => push({ phase: 'encoder', ...progress }) }));
    const opened = yield* opening.drain();
    this.#encoder = { of: request, opened };
    return opened;
  }

  /** Embeds what has no vector. What turns out to have changed since it was read is read again at once, but not for ever. */
  async *#embedAll(encoder: IndexEncoder, stored: StoredEncoder): AsyncGenerator<IndexProgress, EmbedResult> {
    const first = yield* this.#embed(encoder, stored);
    const changed = this.#writer.distrusted();
    if (changed.length === 0) return first;
    yield* this.#scan(changed);
    const second = yield* this.#embed(encoder, stored);
    return { embedded: first.embedded + second.embedded, tokens: first.tokens + second.tokens, seconds: first.seconds + second.seconds, skipped: second.skipped };
  }

  async *#embed(encoder: IndexEncoder, stored: StoredEncoder): AsyncGenerator<IndexProgress, EmbedResult> {
    const { home, regardless, signal } = this.#options;
    const pace = new Pace({ home, location: this.location, lock: this.#lock, regardless });
    const running = embedPending(this.#writer, {
      encoder,
      stored,
      root: this.location.root,
      mostBytes: this.#rules().rules.mostBytes,
      pace: () => pace.wait(),
      mostSeconds: () => pace.mostSeconds(),
      signal,
    });
    for (;;) {
      const step = await running.next();
      if (step.done) return step.value;
      yield { phase: 'vectors', vectors: step.value };
    }
  }
}

function isSame(a: IndexEncoderRequest, b: IndexEncoderRequest): boolean {
  return a.model === b.model && a.layers === b.layers && a.maxLength === b.maxLength && a.precision === b.precision;
}

function noticeOf({ setAside, isKnown }: Rebuilt): string {
  const what = setAside === undefined ? 'The index was removed while it was open and is built again.' : `The index was damaged and is built again; the damaged file is kept as ${setAside} and can be deleted.`;
  return isKnown ? what : `${what} Which files and which model it was to have is lost with it: name them again where you had named them.`;
}
