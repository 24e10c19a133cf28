import { stat } from 'node:fs/promises';
import { errors, throwIfCancelled } from '../../errors.ts';
import { readWorkspaceFile } from '../files/read.ts';
import type { FileRules, Reason, WorkspaceFile } from '../files/types.ts';
import { walkWorkspace } from '../files/walk.ts';
import type { NewFile, RefusedFile, StoredFile } from '../store/types.ts';
import type { IndexWriter } from '../store/writer.ts';
import { chunkedTexts, toNewChunk, wordsOf } from './texts.ts';

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
  /** Files and folders that are left out, by reason. */
  readonly excluded: Readonly<Record<Reason, number>>;
}

/** What is looked at. */
export interface ScanOptions {
  readonly rules: FileRules;
  /** Only these files and folders, from the root; the whole workspace where left out. */
  readonly only?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Changes are committed so often, that a search finds them and a kill loses little. */
const commitMilliseconds = 250;

/**
 * Brings the text side of an index up to date: reads what is new or has changed by size and time, stores it where its
 * bytes have changed, and takes out what is gone. The vectors come after.
 *
 * @throws NOT_FOUND where the workspace goes away meanwhile: nothing is taken out then; BAD_INDEX, WRITE_FAILED, BUSY,
 * CANCELLED, USAGE (a glob)
 */
export async function* scanWorkspace(writer: IndexWriter, root: string, { rules, only, signal }: ScanOptions): AsyncGenerator<ScanProgress, ScanResult> {
  const before = await identityOf(root);
  const scan = new Scan(writer);
  for await (const found of walkWorkspace(root, rules, { ...(signal && { signal }), ...(only && { only }) })) {
    throwIfCancelled(signal);
    if ('excluded' in found) scan.exclude(found.excluded.reason);
    else await scan.take(found.file);
    if (scan.isDue()) {
      scan.commit();
      yield scan.progress();
    }
  }
  scan.commit();
  // An unmounted disk looks like a folder without files.
  if ((await identityOf(root)) !== before) throw gone(root);
  const removed = scan.removeUnseen(only);
  if (only === undefined) writer.setExcluded(scan.excluded());
  return { ...scan.progress(), removed, excluded: scan.excluded() };
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
  readonly #known: Map<string, StoredFile>;
  readonly #refused: Map<string, RefusedFile>;
  readonly #seen = new Set<string>();
  readonly #excluded = new Map<Reason, number>();
  #changes: Array<() => void> = [];
  #lastCommit = performance.now();
  #indexed = 0;
  #chunks = 0;
  #unchanged = 0;

  constructor(writer: IndexWriter) {
    this.#writer = writer;
    this.#known = new Map(writer.files().map((file) => [file.path, file]));
    this.#refused = new Map(writer.refused().map((file) => [file.path, file]));
  }

  async take(file: WorkspaceFile): Promise<void> {
    this.#seen.add(file.path);
    const known = this.#known.get(file.path);
    const refused = this.#refused.get(file.path);
    if (known !== undefined && isSame(known, file)) {
      this.#unchanged++;
      return;
    }
    if (refused !== undefined && isSame(refused, file)) return this.exclude(refused.reason);
    const read = await readWorkspaceFile(file);
    if ('reason' in read) {
      this.exclude(read.reason);
      const { path, size, mtimeMs } = file;
      this.#changes.push(() => this.#writer.putRefused({ path, size, mtimeMs, reason: read.reason }));
    } else if (known !== undefined && Buffer.compare(known.hash, read.hash) === 0) {
      this.#unchanged++;
      this.#changes.push(() => this.#writer.touchFile(known.id, file.size, file.mtimeMs));
    } else {
      const stored = await toNewFile(file, read.text, read.hash);
      this.#indexed++;
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

async function toNewFile(file: WorkspaceFile, text: string, hash: Uint8Array): Promise<NewFile> {
  const { path, language, size, mtimeMs } = file;
  const chunks = (await chunkedTexts(text, path)).map((chunked) => toNewChunk(chunked, text));
  return { path, language, size, mtimeMs, hash, characters: text.length, pathWords: wordsOf(path), chunks };
}
