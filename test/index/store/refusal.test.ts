import { chmodSync, chownSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { IndexReader } from '../../../src/index/store/reader.ts';
import { IndexWriter } from '../../../src/index/store/writer.ts';
import { codeOf, connect, fill, indexFile, integrity, newFile, put } from './sample.ts';

const isRoot = process.getuid?.() === 0;

/** Has every connection that is opened from now on obey these pragmas once it is set up. */
function withPragmas(pragmas: string): void {
  const { exec } = DatabaseSync.prototype;
  const spy = vi.spyOn(DatabaseSync.prototype, 'exec').mockImplementation(function (this: DatabaseSync, sql) {
    exec.call(this, sql);
    if (sql.includes('journal_mode')) exec.call(this, pragmas);
  });
  onTestFinished(() => spy.mockRestore());
}

describe('an index that another program holds', () => {
  test('is said to be held, to who writes and to who reads, after a while', async () => {
    const file = await indexFile();
    fill(file, 1);
    const holder = connect(file);
    holder.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; DELETE FROM meta');
    for (const open of [IndexWriter.open, IndexReader.open] as const) {
      expect(() => open(file, { busyMilliseconds: 20 })).toThrow(/^Another program holds the index .+: close it and try again\.$/);
      expect(codeOf(() => open(file, { busyMilliseconds: 20 }))).toBe('BUSY');
    }
    holder.exec('ROLLBACK');
    holder.close();
    IndexWriter.open(file, { busyMilliseconds: 20 }).close();
  });

  test('while it is being written to refuses what is written, and takes it afterwards', async () => {
    const file = await indexFile();
    fill(file, 1);
    const writer = IndexWriter.open(file, { busyMilliseconds: 20 });
    const holder = connect(file);
    holder.exec('BEGIN IMMEDIATE');
    expect(codeOf(() => writer.putFile(newFile('a.ts', 1)))).toBe('BUSY');
    expect(codeOf(() => writer.setRules({}))).toBe('BUSY');
    holder.exec('ROLLBACK');
    writer.putFile(newFile('a.ts', 1));
    expect(writer.files().map((file) => file.path)).toEqual(['file0.ts', 'a.ts']);
    writer.close();
  });
});

describe('a disk that is full', () => {
  test('is said, and what was committed stays and is whole', async () => {
    const file = await indexFile();
    fill(file, 10);
    const before = connect(file);
    const { page_count: pages } = before.prepare('PRAGMA page_count').get()!;
    before.close();
    withPragmas(`PRAGMA max_page_count = ${Number(pages) + 4}`);
    const writer = IndexWriter.open(file);
    const encoder = writer.targetEncoder()!;
    let written = 0;
    const more = (): void => {
      for (; written < 1000; written++) put(writer, encoder, newFile(`more${written}.ts`, 5));
    };
    expect(more).toThrow(/^The disk is full: free some space and run l3prune index again; what is indexed is kept\.$/);
    expect(codeOf(more)).toBe('WRITE_FAILED');
    expect(writer.files()).toHaveLength(10 + written);
    expect(writer.pending(encoder, 0, 1)).toEqual([]);
    writer.removePath('file0.ts');
    writer.close();
    vi.restoreAllMocks();
    expect(integrity(file)).toBe('ok');
    const again = IndexWriter.open(file);
    put(again, encoder, newFile(`more${written}.ts`, 5));
    expect(again.files()).toHaveLength(10 + written);
    again.close();
  });
});

describe('an index that is read-only', () => {
  test('is said to be, where it is asked to write', async () => {
    const file = await indexFile();
    fill(file, 1);
    withPragmas('PRAGMA query_only = 1');
    expect(() => IndexWriter.open(file)).toThrow(/^The index .+ is read-only: make it writable, or name another data home with --home\.$/);
    expect(codeOf(() => IndexWriter.open(file))).toBe('WRITE_FAILED');
  });

  test.skipIf(process.platform === 'win32')('by its file or its folder is no damage', async () => {
    const file = await indexFile();
    fill(file, 1);
    const folder = path.dirname(file);
    onTestFinished(() => chmodSync(folder, 0o700));
    for (const [name, mode] of [
      [file, 0o400],
      [folder, 0o500],
    ] as const) {
      chmodSync(name, mode);
      expect(await asNobody(folder, () => codeOf(() => IndexWriter.openOrRebuild(file)))).toBe('WRITE_FAILED');
    }
  });
});

/** Root may write everything: the work is done as one who owns the folder and may not. */
async function asNobody<R>(folder: string, work: () => R): Promise<R> {
  if (!isRoot) return work();
  const nobody = 65_534;
  for (const name of [...readdirSync(folder).map((entry) => path.join(folder, entry)), folder]) chownSync(name, nobody, nobody);
  process.seteuid!(nobody);
  try {
    return work();
  } finally {
    process.seteuid!(0);
  }
}

test('a folder that is not there, or a folder in its place, is said', async () => {
  const file = await indexFile();
  expect(() => IndexWriter.open(path.join(file, 'index.sqlite'))).toThrow(/cannot be opened: check that its folder can be written/);
  expect(codeOf(() => IndexWriter.open(path.dirname(file)))).toBe('WRITE_FAILED');
  expect(codeOf(() => IndexReader.open(path.dirname(file)))).toBe('WRITE_FAILED');
});
