import { relative, sep } from 'node:path';
import { watch as watchFiles } from 'chokidar';
import { reason } from '../files.ts';

/** What has happened in a workspace since the last time. */
export interface WorkspaceChange {
  /** Files and folders, from the root; undefined where anything may have changed. */
  readonly paths: readonly string[] | undefined;
  /** Why changes are not heard of as they happen, where they are not. */
  readonly notice?: string | undefined;
}

export interface WatchOptions {
  /** Whether a folder is not worth a watch, by its name. */
  readonly isLeftOut: (name: string) => boolean;
  readonly signal: AbortSignal;
}

/** Editors write a file in several steps, and tools write many. */
const quietMilliseconds = 300;
/** Somebody who writes without a pause is not waited for longer. */
const mostMilliseconds = 2000;
/** For more it is cheaper to look at everything. */
const mostPaths = 200;
/** How often everything is looked at where the system cannot tell of changes. */
const scanMilliseconds = 30_000;

/**
 * Tells of changes in a workspace, gathered until it is quiet, until the signal ends it. Where the system has no more
 * watches to give (ENOSPC, EMFILE), or loses events, a look at everything takes their place every half minute, and the
 * first of them says so.
 */
export async function* watchWorkspace(root: string, { isLeftOut, signal }: WatchOptions): AsyncGenerator<WorkspaceChange, void> {
  const changes = new Changes();
  const watcher = watchFiles(root, { ignoreInitial: true, followSymlinks: false, ignored: (path) => path !== root && isLeftOut(path.slice(path.lastIndexOf(sep) + 1)) });
  watcher.on('all', (_, path) => changes.add(relative(root, path).split(sep).join('/')));
  watcher.on('error', (error) => {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOSPC' || code === 'EMFILE') void watcher.close();
    changes.fallBack(`Changes are looked for every ${scanMilliseconds / 1000} seconds: ${code === 'ENOSPC' || code === 'EMFILE' ? 'the system has no more file watches to give' : reason(error)}.`);
  });
  const stop = (): void => changes.stop();
  signal.addEventListener('abort', stop, { once: true });
  try {
    while (!signal.aborted) {
      const change = await changes.next();
      if (change === undefined) return;
      yield change;
    }
  } finally {
    signal.removeEventListener('abort', stop);
    await watcher.close();
  }
}

/** Gathers paths and hands them over when it has been quiet. */
class Changes {
  #paths = new Set<string>();
  #everything = false;
  #notice: string | undefined;
  #isScanning = false;
  #isStopped = false;
  #first = 0;
  #timer: NodeJS.Timeout | undefined;
  #wake: (() => void) | undefined;
  #isReady = false;

  add(path: string): void {
    if (this.#paths.size === 0) this.#first = performance.now();
    if (this.#paths.size < mostPaths) this.#paths.add(path);
    else this.#everything = true;
    this.#schedule(Math.min(quietMilliseconds, Math.max(0, this.#first + mostMilliseconds - performance.now())));
  }

  fallBack(notice: string): void {
    if (this.#isScanning) return;
    this.#isScanning = true;
    this.#notice = notice;
    this.#everything = true;
    this.#schedule(0);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#wake?.();
  }

  async next(): Promise<WorkspaceChange | undefined> {
    if (!this.#isReady && !this.#isStopped) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#wake = undefined;
    this.#isReady = false;
    if (this.#isStopped) return undefined;
    const isAll = this.#everything || this.#paths.has('');
    const change = { paths: isAll ? undefined : [...this.#paths], notice: this.#notice };
    this.#paths = new Set();
    this.#everything = this.#isScanning;
    this.#notice = undefined;
    if (this.#isScanning) this.#schedule(scanMilliseconds);
    return change;
  }

  #schedule(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#isReady = true;
      this.#wake?.();
    }, milliseconds);
  }
}
