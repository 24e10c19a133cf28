import { throwIfCancelled } from '../../errors.ts';
import { IndexEncoder, type IndexEncoderRequest } from '../encoder.ts';
import { defaultFileRules } from '../files/defaults.ts';
import type { FileRules } from '../files/types.ts';
import { locateIndex, prepareLocation, type IndexLocation } from '../location.ts';
import type { StoredEncoder } from '../store/types.ts';
import { DamagedIndexError } from '../store/database.ts';
import { IndexWriter } from '../store/writer.ts';
import { acquireWriterLock, type WriterLock } from '../writer-lock.ts';
import type { OpenIndexEncoderOptions } from '../encoder.ts';
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
  #encoder: IndexEncoder | undefined;
  readonly #notices: string[] = [];

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
      const { writer, setAside } = await IndexWriter.openOrRebuild(location.database);
      const index = new WorkspaceIndex(location, options, lock, writer);
      if (setAside !== undefined) index.#notices.push(rebuilt(setAside));
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
    try {
      return yield* work(false);
    } catch (error) {
      if (!(error instanceof DamagedIndexError)) throw error;
      this.#writer.close();
      const { writer, setAside } = await IndexWriter.openOrRebuild(this.location.database);
      this.#writer = writer;
      yield { phase: 'notice', notice: rebuilt(setAside ?? this.location.database) };
      return yield* work(true);
    }
  }

  async close(): Promise<void> {
    this.#writer.close();
    await this.#encoder?.dispose();
    await this.#lock.release();
  }

  /** Brings the words alone up to date. Errors: as `update`. */
  updateTexts(only?: readonly string[]): AsyncGenerator<IndexProgress, ScanResult> {
    return this.#mended((whole) => this.#scan(whole ? undefined : only));
  }

  async *#scan(only: readonly string[] | undefined): AsyncGenerator<IndexProgress, ScanResult> {
    const scanning = scanWorkspace(this.#writer, this.location.root, { rules: this.#rules(), only, signal: this.#options.signal });
    for (;;) {
      const step = await scanning.next();
      yield { phase: 'texts', texts: step.value };
      if (step.done) return step.value;
    }
  }

  async *#update(request: IndexEncoderRequest | undefined, only: readonly string[] | undefined): AsyncGenerator<IndexProgress, IndexResult> {
    const texts = yield* this.#scan(only);
    throwIfCancelled(this.#options.signal);
    const wanted = request ?? this.#writer.targetEncoder()?.source;
    if (wanted === undefined) return { texts, vectors: undefined };
    const before = this.#writer.targetEncoder();
    if (request === undefined && before !== undefined && this.#isComplete(before)) return { texts, vectors: { embedded: 0, tokens: 0, seconds: 0, skipped: 0, encoder: before } };
    const encoder = yield* this.#open(wanted);
    const stored = this.#writer.setTargetEncoder(encoder.fingerprint, encoder.dimensions, encoder.source);
    const result = yield* this.#embed(encoder, stored);
    if (this.#writer.activeEncoder()?.id !== stored.id) this.#writer.activate(stored);
    this.#writer.dropOrphans();
    return { texts, vectors: { ...result, encoder: stored } };
  }

  #rules(): FileRules {
    const rules = { ...defaultFileRules, ...this.#writer.rules(), ...this.#options.rules };
    this.#writer.setRules(rules);
    return rules;
  }

  #isComplete(encoder: StoredEncoder): boolean {
    const isServing = this.#writer.activeEncoder()?.id === encoder.id;
    return isServing && this.#writer.pending(encoder, 0, 1).length === 0;
  }

  /** Opens the encoder, once for as long as it is the same. */
  async *#open(request: IndexEncoderRequest): AsyncGenerator<IndexProgress, IndexEncoder> {
    const { source } = this.#encoder ?? {};
    if (this.#encoder !== undefined && source!.model === request.model && Object.entries(request).every(([key, value]) => value === undefined || source![key as keyof typeof source] === value)) return this.#encoder;
    await this.#encoder?.dispose();
    this.#encoder = undefined;
    yield { phase: 'encoder', what: 'opening the encoder', doneBytes: 0, totalBytes: undefined };
    this.#encoder = await IndexEncoder.open(request, this.#options);
    return this.#encoder;
  }

  async *#embed(encoder: IndexEncoder, stored: StoredEncoder): AsyncGenerator<IndexProgress, EmbedResult> {
    const { home, regardless, signal } = this.#options;
    const pace = new Pace({ home, location: this.location, lock: this.#lock, regardless });
    const running = embedPending(this.#writer, {
      encoder,
      stored,
      root: this.location.root,
      mostBytes: this.#rules().mostBytes,
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

function rebuilt(setAside: string): string {
  return `The index was damaged and is built again; the damaged file is kept as ${setAside} and can be deleted.`;
}
