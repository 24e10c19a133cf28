import fs from 'node:fs';
import { EventEmitter } from 'node:events';
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type * as Chokidar from 'chokidar';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { isNeverIndexed } from '../../src/index/files/defaults.ts';
import { WorkspaceWatch, type WorkspaceChange } from '../../src/index/watch.ts';

/** What stands in for chokidar's watcher: the tests say what it hears. */
class Watcher extends EventEmitter {
  isClosed = false;
  close = async (): Promise<void> => {
    this.isClosed = true;
    this.removeAllListeners();
  };
}
const chokidar = vi.hoisted(() => ({ watcher: undefined as unknown, options: undefined as unknown }));
vi.mock('chokidar', async (original) => {
  const real = await original<typeof Chokidar>();
  return {
    watch: (root: string, options: object) => {
      chokidar.options = options;
      return chokidar.watcher ?? real.watch(root, options);
    },
  };
});

const root = path.join(path.sep, 'ws');
const failure = (code: string): Error => Object.assign(new Error(`${code}: watch`), { code });

/** A watch on events that the test makes, and its changes. */
function watching(): { watcher: Watcher; changes: AsyncGenerator<WorkspaceChange, void>; watch: WorkspaceWatch; stop: AbortController; hear: (...names: string[]) => void } {
  const watcher = new Watcher();
  chokidar.watcher = watcher;
  const stop = new AbortController();
  const watch = new WorkspaceWatch(root, { isLeftOut: isNeverIndexed, signal: stop.signal });
  onTestFinished(() => watch.close());
  return { watcher, watch, changes: watch.changes(), stop, hear: (...names) => names.forEach((name) => watcher.emit('all', 'change', path.join(root, name))) };
}

/** What of a promise is there by now. */
async function settled<T>(promise: Promise<T>): Promise<T | 'waiting'> {
  return Promise.race([promise, new Promise<'waiting'>((resolve) => setImmediate(() => resolve('waiting')))]);
}

describe('a watch', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] }));
  afterEach(() => void vi.useRealTimers());

  test('gathers what changes until it is quiet, each path once', async () => {
    const { changes, hear } = watching();
    const next = changes.next();
    hear('a.ts', 'src/b.ts');
    vi.advanceTimersByTime(200);
    hear('a.ts');
    vi.advanceTimersByTime(200);
    expect(await settled(next)).toBe('waiting');
    vi.advanceTimersByTime(100);
    expect(await next).toEqual({ value: { paths: ['a.ts', 'src/b.ts'] }, done: false });
  });

  test('does not wait for quiet for ever', async () => {
    const { changes, hear } = watching();
    const next = changes.next();
    for (let i = 0; i < 20; i++) {
      hear(`${i}.ts`);
      vi.advanceTimersByTime(100);
    }
    expect((await next).value?.paths).toHaveLength(20);
  });

  test('has everything looked at for many paths, and for the root', async () => {
    const { changes, hear } = watching();
    hear(...Array.from({ length: 201 }, (_, i) => `${i}.ts`));
    vi.advanceTimersByTime(300);
    expect((await changes.next()).value).toEqual({ paths: undefined });
    hear('a.ts', '');
    vi.advanceTimersByTime(300);
    expect((await changes.next()).value).toEqual({ paths: undefined });
    hear('a.ts');
    vi.advanceTimersByTime(300);
    expect((await changes.next()).value).toEqual({ paths: ['a.ts'] });
  });

  test('keeps what changes while somebody works, and hands it over once', async () => {
    const { changes, watch, hear } = watching();
    hear('a.ts');
    expect(watch.take()).toBeUndefined();
    vi.advanceTimersByTime(300);
    hear('b.ts');
    vi.advanceTimersByTime(300);
    expect(watch.take()).toEqual({ paths: ['a.ts', 'b.ts'] });
    expect(watch.take()).toBeUndefined();
    vi.advanceTimersByTime(5000);
    expect(await settled(changes.next())).toBe('waiting');
  });

  test('has everything looked at once all watches stand, for what has changed before', async () => {
    const { changes, watcher } = watching();
    watcher.emit('ready');
    vi.advanceTimersByTime(0);
    expect((await changes.next()).value).toEqual({ paths: undefined, notice: 'Watching for changes.' });
  });

  test.each(['ENOSPC', 'EMFILE'])('gives its watches back at %s, looks at everything every half minute, and says so once', async (code) => {
    const { changes, watcher } = watching();
    for (let i = 0; i < 3; i++) watcher.emit('error', failure(code));
    expect(watcher.isClosed).toBe(true);
    vi.advanceTimersByTime(0);
    expect((await changes.next()).value).toEqual({ paths: undefined, notice: 'Changes are looked for every 30 seconds: the system has no more file watches to give.' });
    for (let i = 0; i < 2; i++) {
      const next = changes.next();
      vi.advanceTimersByTime(29_999);
      expect(await settled(next)).toBe('waiting');
      vi.advanceTimersByTime(2);
      expect((await next).value).toEqual({ paths: undefined });
    }
  });

  test('goes on to hear what it hears after another failure', async () => {
    const { changes, watcher, hear } = watching();
    watcher.emit('error', failure('EIO'));
    vi.advanceTimersByTime(0);
    expect((await changes.next()).value).toEqual({ paths: undefined, notice: expect.stringMatching(/^Changes are looked for every 30 seconds: .+\.$/) });
    hear('a.ts');
    vi.advanceTimersByTime(300);
    expect((await changes.next()).value).toEqual({ paths: ['a.ts'] });
    vi.advanceTimersByTime(30_000);
    expect((await changes.next()).value).toEqual({ paths: undefined });
  });

  test('ends with its signal, also one that was given before, and keeps no timer', async () => {
    const { changes, watcher, stop, hear } = watching();
    const next = changes.next();
    hear('a.ts');
    stop.abort();
    expect(await next).toEqual({ value: undefined, done: true });
    watcher.emit('error', failure('ENOSPC'));
    hear('b.ts');
    expect(vi.getTimerCount()).toBe(0);
    const aborted = new WorkspaceWatch(root, { isLeftOut: isNeverIndexed, signal: AbortSignal.abort() });
    expect(await aborted.changes().next()).toEqual({ value: undefined, done: true });
    await aborted.close();
  });

  test('leaves out folders that are never indexed, and no file', () => {
    watching();
    const { ignored } = chokidar.options as { ignored: (path: string, stats?: { isDirectory(): boolean }) => boolean };
    const isLeftOut = (name: string, isDirectory: boolean): boolean => ignored(path.join(root, name), { isDirectory: () => isDirectory });
    expect(['node_modules', 'src/node_modules', '.git', '.cache'].map((name) => isLeftOut(name, true))).toEqual([true, true, true, true]);
    expect(['', 'src', '.github'].map((name) => isLeftOut(name, true))).toEqual([false, false, false]);
    expect(['.gitignore', '.l3pruneignore', '.eslintrc.json', 'vendor'].map((name) => isLeftOut(name, false))).toEqual([false, false, false, false]);
    expect(ignored(path.join(root, 'node_modules'))).toBe(false);
  });
});

describe('a watch on files', () => {
  beforeEach(() => (chokidar.watcher = undefined));

  async function watched(): Promise<{ folder: string; watch: WorkspaceWatch; next: () => Promise<WorkspaceChange> }> {
    const folder = await realpath(await mkdtemp(path.join(tmpdir(), 'l3prune-watch-')));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    for (let i = 0; i < 50; i++) await writeFile(path.join(folder, `${i}.ts`), '1');
    const watch = new WorkspaceWatch(folder, { isLeftOut: isNeverIndexed, signal: new AbortController().signal });
    onTestFinished(() => watch.close());
    const changes = watch.changes();
    return { folder, watch, next: async () => (await changes.next()).value as WorkspaceChange };
  }

  test('hears of a file that is written and of one that goes', async () => {
    const { folder, next } = await watched();
    expect(await next()).toEqual({ paths: undefined, notice: 'Watching for changes.' });
    await writeFile(path.join(folder, '7.ts'), '22');
    expect(await next()).toEqual({ paths: ['7.ts'] });
    await rm(path.join(folder, '7.ts'));
    expect(await next()).toEqual({ paths: ['7.ts'] });
  });

  test('survives that every watch is refused', async () => {
    const { watch } = fs;
    fs.watch = (() => {
      throw failure('ENOSPC');
    }) as typeof fs.watch;
    syncBuiltinESMExports();
    onTestFinished(() => {
      fs.watch = watch;
      syncBuiltinESMExports();
    });
    const { next } = await watched();
    expect(await next()).toEqual({ paths: undefined, notice: expect.stringMatching(/the system has no more file watches to give\.$/) });
  });
});
