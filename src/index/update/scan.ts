import { stat } from 'node:fs/promises';
import { errors, throwIfCancelled } from '../../errors.ts';
import { readWorkspaceFile } from '../files/read.ts';
import { reasons } from '../files/reasons.ts';
import type { FileRules, Reason, WorkspaceFile } from '../files/types.ts';
import { walkWorkspace } from '../files/walk.ts';
import type { NewFile, RefusedFile, StoredFile } from '../store/types.ts';
import type { IndexWriter } from '../store/writer.ts';
import { cutFile, toNewChunk, wordsOf } from './texts.ts';

/** What one look at the workspace has found so far. */
export interface ScanProgress {
  /** Files that are worth indexing by their names. */
  readonly seen: number;
  /** Files that are new or have changed, and chunks of them. */
  readonly indexed: number;
  readonly chunks: number;
  readonly unchanged: number;
}

/** What it found in all. */
export interface ScanResult extends ScanProgress {
  /** Files that were in the index and are no longer there, or no longer wanted. */
  readonly removed: number;
  /** Of those indexed, files that were cut at their blank lines because their language's parser gave up. */
  readonly fallbacks: number;
  /** Files and folders that are left out, by reason. */
  readonly excluded: Readonly<Record<Reason, number>>;
}

/** What is looked at. */
export interface ScanOptions {
  readonly rules: FileRules;
  /** Only these files and folders, from the root; the whole workspace where left out. */
  readonly only?: readonly string[] | undefined;
  /** Awaited before anything is written: throws where this process may not any more. */
  readonly beforeWrite?: (() => Promise<void>) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a file is by what it holds: so it stays until it changes. What the file system says of it may be otherwise the next time. */
const lastingReasons: ReadonlySet<Reason> = new Set([reasons.empty, reasons.data, reasons.secret, reasons.binary, reasons.minified, reasons.generated]);

/** Changes are committed so often, that a search finds them and a kill loses little. */
const commitMilliseconds = 250;

/**
 * Brings the text side of an index up to date: reads what is new or has changed by size and time, stores it where its
 * bytes have changed, and takes out what is gone. The vectors come after.
 *
 * @throws NOT_FOUND where the workspace goes away meanwhile: nothing is taken out then; BAD_INDEX, WRITE_FAILED, BUSY,
 * CANCELLED, USAGE (a glob)
 */
export async function* scanWorkspace(writer: IndexWriter, root: string, options: ScanOptions): AsyncGenerator<ScanProgress, ScanResult> {
  const { rules, beforeWrite, signal } = options;
  // The root is everything.
  const only = options.only?.includes('') ? undefined : options.only;
  const before = await identityOf(root);
  const scan = new Scan(writer, options);
  for await (const found of walkWorkspace(root, rules, { ...(signal && { signal }), ...(only && { only }) })) {
    throwIfCancelled(signal);
    if ('excluded' in found) scan.exclude(found.excluded.reason);
    else await scan.take(found.file);
    if (scan.isDue()) {
      await beforeWrite?.();
      scan.commit();
      yield scan.progress();
    }
  }
  await beforeWrite?.();
  scan.commit();
  // An unmounted disk looks like a folder without files.
  if ((await identityOf(root)) !== before) throw gone(root);
  const removed = scan.removeUnseen(only);
  if (only === undefined) writer.setExcluded(scan.excluded());
  return { ...scan.progress(), removed, fallbacks: scan.fallbacks, excluded: scan.excluded() };
}

async function identityOf(root: string): Promise<string> {
  const { dev, ino } = await stat(root).catch((error: unknown) => {
    throw gone(root, error);
  });
  return `${dev} ${ino}`;
}

function gone(root: string, cause?: unknown): Error {
  return errors.notFound(`The workspace ${root} has gone while it was indexed: its index is kept as it was; run l3prune index once it is back.`, cause);
}

class Scan {
  readonly #writer: IndexWriter;
  readonly #options: ScanOptions;
  readonly #known: Map<string, StoredFile>;
  readonly #refused: Map<string, RefusedFile>;
  readonly #seen = new Set<string>();
  readonly #excluded = new Map<Reason, number>();
  #changes: Array<() => void> = [];
  #lastCommit = performance.now();
  #indexed = 0;
  #chunks = 0;
  #unchanged = 0;
  #fallbacks = 0;

  constructor(writer: IndexWriter, options: ScanOptions) {
    this.#writer = writer;
    this.#options = options;
    this.#known = new Map(writer.files().map((file) => [file.path, file]));
    this.#refused = new Map(writer.refused().map((file) => [file.path, file]));
  }

  async take(file: WorkspaceFile): Promise<void> {
    const { rules, signal } = this.#options;
    const known = this.#known.get(file.path);
    const refused = this.#refused.get(file.path);
    if (known !== undefined && isSame(known, file)) {
      this.#seen.add(file.path);
      this.#unchanged++;
      return;
    }
    if (refused !== undefined && isSame(refused, file)) {
      this.#seen.add(file.path);
      return this.exclude(refused.reason);
    }
    const read = await readWorkspaceFile(file, { mostBytes: rules.mostBytes, signal });
    // One that cannot be read is as one that is not there, and taken out with those, if the workspace is there at the end.
    if ('reason' in read && !lastingReasons.has(read.reason)) return this.exclude(read.reason);
    this.#seen.add(file.path);
    if ('reason' in read) {
      this.exclude(read.reason);
      const { path, size, mtimeMs } = file;
      this.#changes.push(() => this.#writer.putRefused({ path, size, mtimeMs, reason: read.reason }));
    } else if (known !== undefined && Buffer.compare(known.hash, read.hash) === 0) {
      this.#unchanged++;
      this.#changes.push(() => this.#writer.touchFile(known.id, file.size, file.mtimeMs));
    } else {
      const { stored, isFallback } = await toNewFile(file, read.text, read.hash);
      this.#indexed++;
      if (isFallback) this.#fallbacks++;
      this.#chunks += stored.chunks.length;
      this.#changes.push(() => this.#writer.putFile(stored));
    }
  }

  exclude(reason: Reason): void {
    this.#excluded.set(reason, (this.#excluded.get(reason) ?? 0) + 1);
  }

  isDue(): boolean {
    return performance.now() - this.#lastCommit > commitMilliseconds;
  }

  commit(): void {
    const changes = this.#changes;
    this.#changes = [];
    if (changes.length > 0) this.#writer.together(() => changes.forEach((change) => change()));
    this.#lastCommit = performance.now();
  }

  /** Takes out what was known and has not been met; of a part of the workspace, what lies in that part. */
  removeUnseen(only: readonly string[] | undefined): number {
    const isLookedAt = (path: string): boolean => only === undefined || only.some((part) => path === part || path.startsWith(`${part}/`));
    const unseen = (paths: Iterable<string>): string[] => Array.from(paths).filter((path) => !this.#seen.has(path) && isLookedAt(path));
    const files = unseen(this.#known.keys());
    const all = [...files, ...unseen(this.#refused.keys())];
    if (all.length > 0) this.#writer.together(() => all.forEach((path) => this.#writer.removePath(path)));
    return files.length;
  }

  get fallbacks(): number {
    return this.#fallbacks;
  }

  excluded(): Record<Reason, number> {
    return Object.fromEntries(this.#excluded);
  }

  progress(): ScanProgress {
    return { seen: this.#seen.size, indexed: this.#indexed, chunks: this.#chunks, unchanged: this.#unchanged };
  }
}

function isSame(known: { readonly size: number; readonly mtimeMs: number }, file: WorkspaceFile): boolean {
  return known.size === file.size && known.mtimeMs === file.mtimeMs;
}

async function toNewFile(file: WorkspaceFile, text: string, hash: Uint8Array): Promise<{ readonly stored: NewFile; readonly isFallback: boolean }> {
  const { path, language, size, mtimeMs } = file;
  const { texts, isFallback } = await cutFile(text, path);
  const chunks = texts.map((chunked) => toNewChunk(chunked, text));
  return { stored: { path, language, size, mtimeMs, hash, characters: text.length, pathWords: wordsOf(path), chunks }, isFallback };
}
