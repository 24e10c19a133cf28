import { basename, relative, sep } from 'node:path';
import { watch as watchFiles, type FSWatcher } from 'chokidar';
import { reason } from '../files.ts';

/** What has happened in a workspace since the last time. */
export interface WorkspaceChange {
  /** Files and folders, from the root; undefined where anything may have changed. */
  readonly paths: readonly string[] | undefined;
  /** How changes are heard of, where that is new; a sentence. */
  readonly notice?: string | undefined;
}

export interface WatchOptions {
  /** Whether a folder is not worth a watch, by its name. */
  readonly isLeftOut: (folderName: string) => boolean;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** Said once nothing that changes escapes any more. */
export const watchingNotice = 'Watching for changes.';

/** Editors write a file in several steps, and tools write many. */
const quietMilliseconds = 300;
/** Somebody who writes without a pause is not waited for longer. */
const mostMilliseconds = 2000;
/** For more it is cheaper to look at everything. */
const mostPaths = 200;
/** How often everything is looked at where the system cannot tell of changes. */
const scanMilliseconds = 30_000;

/**
 * Hears of changes in a workspace from its making on, gathered until it is quiet. Once all watches stand, everything has to
 * be looked at again: what changed before is not told of. Where the system has no more watches to give (ENOSPC, EMFILE), or
 * loses events, a look at everything takes their place every half minute, and the first of them says so.
 */
export class WorkspaceWatch {
  readonly #changes = new Changes();
  readonly #watcher: FSWatcher;
  readonly #signal: AbortSignal;
  readonly #stop = (): void => this.#changes.end();

  constructor(root: string, { isLeftOut, signal }: WatchOptions) {
    this.#signal = signal;
    // A folder that cannot be read is not indexed, either. What is asked about first has no kind yet, and passes.
    this.#watcher = watchFiles(root, { ignoreInitial: true, followSymlinks: false, ignorePermissionErrors: true, ignored: (path, stats) => stats?.isDirectory() === true && relative(root, path) !== '' && isLeftOut(basename(path)) });
    this.#watcher.on('all', (_, path) => this.#changes.add(relative(root, path).split(sep).join('/')));
    this.#watcher.on('ready', () => this.#changes.addAll(watchingNotice));
    this.#watcher.on('error', (error) => this.#fallBack(error as NodeJS.ErrnoException));
    if (signal.aborted) this.#stop();
    else signal.addEventListener('abort', this.#stop, { once: true });
  }

  /** What has changed and come to rest, without waiting for it; undefined where nothing has. */
  take(): WorkspaceChange | undefined {
    return this.#changes.take();
  }

  /** The same as it comes, until the signal ends it. */
  async *changes(): AsyncGenerator<WorkspaceChange, void> {
    while (await this.#changes.due()) {
      const change = this.#changes.take();
      if (change !== undefined) yield change;
    }
  }

  async close(): Promise<void> {
    this.#signal.removeEventListener('abort', this.#stop);
    this.#changes.end();
    await this.#release();
  }

  #release(): Promise<void> {
    const released = this.#watcher.close();
    // What is under way in it may still fail, when nobody listens any more: that would end the process.
    this.#watcher.on('error', () => undefined);
    return released;
  }

  #fallBack(error: NodeJS.ErrnoException): void {
    const isOut = error.code === 'ENOSPC' || error.code === 'EMFILE';
    // Some watches tell of some changes: nobody could rely on that, and other programs can use them.
    if (isOut) void this.#release();
    this.#changes.scan(`Changes are looked for every ${scanMilliseconds / 1000} seconds: ${isOut ? 'the system has no more file watches to give' : reason(error)}.`);
  }
}

/** Gathers paths and hands them over when it has been quiet. */
class Changes {
  #paths = new Set<string>();
  #isEverything = false;
  #notice: string | undefined;
  /** When the first of them came. */
  #first: number | undefined;
  #isDue = false;
  #isEnded = false;
  #timer: NodeJS.Timeout | undefined;
  #scans: NodeJS.Timeout | undefined;
  #wake: (() => void) | undefined;

  /** The root itself has an empty path. */
  add(path: string): void {
    if (path === '' || this.#paths.size === mostPaths) this.#isEverything = true;
    else this.#paths.add(path);
    this.#first ??= performance.now();
    this.#schedule(Math.min(quietMilliseconds, Math.max(0, this.#first + mostMilliseconds - performance.now())));
  }

  addAll(notice?: string): void {
    this.#isEverything = true;
    this.#notice = notice ?? this.#notice;
    this.#schedule(0);
  }

  /** Has everything looked at now and again and again. */
  scan(notice: string): void {
    if (this.#isEnded || this.#scans !== undefined) return;
    this.#scans = setInterval(() => this.addAll(), scanMilliseconds);
    this.addAll(notice);
  }

  take(): WorkspaceChange | undefined {
    if (!this.#isDue) return undefined;
    const change = { paths: this.#isEverything ? undefined : [...this.#paths], notice: this.#notice };
    this.#paths = new Set();
    this.#isEverything = false;
    this.#notice = undefined;
    this.#first = undefined;
    this.#isDue = false;
    return change;
  }

  /** Waits until there is something to take; false once it has ended. */
  async due(): Promise<boolean> {
    if (!this.#isDue && !this.#isEnded) await new Promise<void>((resolve) => (this.#wake = resolve));
    return !this.#isEnded;
  }

  end(): void {
    this.#isEnded = true;
    clearTimeout(this.#timer);
    clearInterval(this.#scans);
    this.#wake?.();
  }

  #schedule(milliseconds: number): void {
    if (this.#isEnded) return;
    clearTimeout(this.#timer);
    this.#isDue = false;
    this.#timer = setTimeout(() => {
      this.#isDue = true;
      this.#wake?.();
    }, milliseconds);
  }
}
