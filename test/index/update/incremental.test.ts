import { readFile, rename, rm, utimes } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { chunkText } from '../../../src/index/chunks/chunk.ts';
import { IndexEncoder } from '../../../src/index/encoder.ts';
import { readWorkspaceFile } from '../../../src/index/files/read.ts';
import { reasons } from '../../../src/index/files/reasons.ts';
import { locateIndex } from '../../../src/index/location.ts';
import { put } from '../files/workspace.ts';
import { connect } from '../store/sample.ts';
import { ask, chunksOf, fileOf, finished, indexedWorkspace, openIndex, paths, shallow, until, update, type Indexed } from './indexing.ts';
import { vectorsIn } from '../store/vectors.ts';

vi.mock('../../../src/index/files/read.ts', { spy: true });
vi.mock('../../../src/index/chunks/chunk.ts', { spy: true });

let workspace: Indexed;
const at = (name: string): string => path.join(workspace.root, name);
const write = (name: string, content: string | Uint8Array): Promise<void> => put(workspace.root, name, content);

beforeEach(async () => {
  workspace = await indexedWorkspace({
    'src/one.ts': fileOf(1, 2, 3, 4),
    'src/two.ts': fileOf(5, 6, 7),
    'lib/three.ts': fileOf(8, 9),
    'README.md': '# A title\n\nSome text.\n',
  });
});

/** An update whose vectors are known to be asked for, with the files that it has read. */
async function again(options: Parameters<typeof update>[2] = {}) {
  vi.mocked(readWorkspaceFile).mockClear();
  const { texts, vectors } = await update(workspace, undefined, options);
  return { ...texts, embedded: vectors!.embedded, skipped: vectors!.skipped, read: vi.mocked(readWorkspaceFile).mock.calls.length };
}

describe('a workspace that has not changed', () => {
  test('is not read, and its encoder not opened, by who starts again', async () => {
    expect(await update(workspace, shallow)).toMatchObject({ texts: { indexed: 4, chunks: 10, removed: 0, fallbacks: 0 }, vectors: { embedded: 10, skipped: 0 } });
    const open = vi.spyOn(IndexEncoder, 'open');
    expect(await again()).toMatchObject({ indexed: 0, unchanged: 4, embedded: 0, read: 0 });
    expect(open).not.toHaveBeenCalled();
    open.mockRestore();
  });

  test('is read where its files only seem to have changed, once, and nothing of it is embedded', async () => {
    await update(workspace, shallow);
    await utimes(at('src/one.ts'), 1, 1);
    expect(await again()).toMatchObject({ indexed: 0, unchanged: 4, embedded: 0, read: 1 });
    expect(await again()).toMatchObject({ unchanged: 4, read: 0 });
  });
});

describe('of what has changed', () => {
  test('in one function one text is embedded', async () => {
    await update(workspace, shallow);
    await write('src/one.ts', fileOf(1, 2, 3, 4).replace('value + 2', 'value - 2'));
    expect(await again()).toMatchObject({ indexed: 1, unchanged: 3, embedded: 1 });
    await write('src/one.ts', `// Lines before.\n\n${await readFile(at('src/one.ts'), 'utf8')}`);
    expect((await again()).embedded).toBeLessThanOrEqual(1);
  });

  test.for([
    { what: 'the name of a file', change: () => rename(at('src/one.ts'), at('src/renamed.ts')), removed: 1 },
    { what: 'the place of a folder', change: () => rename(at('src'), at('moved')), removed: 2 },
  ])('is $what nothing is embedded', async ({ change, removed }) => {
    await update(workspace, shallow);
    await change();
    expect(await again()).toMatchObject({ indexed: removed, removed, embedded: 0 });
    expect(Object.values(await chunksOf(workspace))).not.toContain('');
  });

  test('and is back as it was, as with a branch, nothing is embedded', async () => {
    await update(workspace, shallow);
    const before = await chunksOf(workspace);
    await rm(at('src/two.ts'));
    await write('src/one.ts', fileOf(1, 2));
    await write('src/new.ts', fileOf(20));
    expect(await again()).toMatchObject({ indexed: 2, removed: 1, embedded: 1 });
    await rm(at('src/new.ts'));
    await write('src/two.ts', fileOf(5, 6, 7));
    await write('src/one.ts', fileOf(1, 2, 3, 4));
    expect(await again()).toMatchObject({ indexed: 2, removed: 1, embedded: 0 });
    expect(await chunksOf(workspace)).toEqual(before);
  });

  test('is only what is named looked at, if anything is', async () => {
    await update(workspace, shallow);
    await write('src/one.ts', fileOf(30));
    await write('lib/three.ts', fileOf(31));
    await rm(at('src/two.ts'));
    await rm(at('README.md'));
    expect(await update(workspace, undefined, {}, ['src'])).toMatchObject({ texts: { seen: 1, indexed: 1, removed: 1 }, vectors: { embedded: 1 } });
    expect(await paths(workspace)).toEqual(['README.md', 'lib/three.ts', 'src/one.ts']);
    expect(await update(workspace, undefined, {}, [''])).toMatchObject({ texts: { seen: 2, indexed: 1, removed: 1 }, vectors: { embedded: 1 } });
  });
});

describe('a text', () => {
  test('that is in several files is embedded once', async () => {
    for (const name of ['a.ts', 'b.ts', 'c/d.ts']) await write(name, fileOf(1, 2, 3, 4));
    expect(await update(workspace, shallow)).toMatchObject({ texts: { chunks: 22 }, vectors: { embedded: 10 } });
    expect(await ask(workspace, (reader) => reader.embeddedFiles(reader.activeEncoder()!))).toBe(1);
  });

  test('of Markdown in long lines is embedded like all others', async () => {
    await write('long.md', `# Long\n\n${'A paragraph that is one line, as many editors write it. '.repeat(60)}\n`);
    expect(await update(workspace, shallow)).toMatchObject({ texts: { indexed: 5 }, vectors: { skipped: 0 } });
    expect(await again()).toMatchObject({ embedded: 0, skipped: 0 });
    expect(Object.values(await chunksOf(workspace))).not.toContain('');
  });

  test('that changes between its reading and its embedding is read again at once', async () => {
    const index = await openIndex(workspace);
    const steps = index.update(shallow);
    await until('encoder', steps);
    await write('src/one.ts', fileOf(1, 2, 3, 40));
    await rm(at('lib/three.ts'));
    expect(await finished(steps)).toMatchObject({ vectors: { embedded: 8, skipped: 0 } });
    expect(Object.values(await chunksOf(workspace))).not.toContain('');
    expect(await paths(workspace)).toEqual(['README.md', 'src/one.ts', 'src/two.ts']);
  });

  test('that its file, unchanged, is no longer cut to is read again, too', async () => {
    await update(workspace, shallow);
    const { database: file } = await locateIndex(workspace.home, workspace.root);
    const database = connect(file);
    database.exec("UPDATE chunks SET text_hash = CAST('text ' || id AS BLOB); DELETE FROM vectors");
    database.close();
    expect(await again()).toMatchObject({ indexed: 0, embedded: 10, skipped: 0 });
    expect(await again()).toMatchObject({ embedded: 0, read: 0 });
  });
});

describe('a file that holds nothing to index', () => {
  test('is not read again until it changes', async () => {
    await write('data.ts', Buffer.from([1, 0, 2, 0, 3]));
    await write('secret.ts', "export const key = 'AKIAQ3EGRZ7XKVJ5WNTP';\n");
    await write('empty.ts', ' \n');
    const excluded = { binary: 1, 'looks like a secret': 1, empty: 1 };
    expect((await update(workspace, shallow)).texts).toMatchObject({ indexed: 4, excluded });
    expect(await again()).toMatchObject({ indexed: 0, excluded, read: 0 });
    await write('secret.ts', 'export const key = process.env.KEY;\n');
    expect(await again()).toMatchObject({ indexed: 1, excluded: { binary: 1, empty: 1 } });
    await write('src/one.ts', Buffer.from([1, 0, 2, 0, 3]));
    expect(await again()).toMatchObject({ indexed: 0, excluded: { binary: 2, empty: 1 } });
    expect(await paths(workspace)).toEqual(['README.md', 'lib/three.ts', 'secret.ts', 'src/two.ts']);
  });

  test.for([reasons.unreadable, reasons.vanished])('but is only %s is asked for the next time', async (reason) => {
    vi.mocked(readWorkspaceFile).mockResolvedValueOnce({ reason });
    expect((await update(workspace, shallow)).texts).toMatchObject({ indexed: 3, excluded: { [reason]: 1 } });
    expect(await again()).toMatchObject({ indexed: 1, excluded: {}, read: 2 });
  });

  test('by the rules of the moment is not read: the rules say how large a file may be', async () => {
    await write('large.ts', fileOf(...Array.from({ length: 30 }, (_, i) => i)));
    expect((await update(workspace, shallow, { rules: { mostBytes: 1000 } })).texts).toMatchObject({ indexed: 4, excluded: { 'too large': 1 } });
    expect(vi.mocked(readWorkspaceFile)).toHaveBeenLastCalledWith(expect.anything(), expect.objectContaining({ mostBytes: 1000 }));
    expect((await again({ rules: { mostBytes: 100_000 } })).indexed).toBe(1);
  });
});

describe('rules', () => {
  test('that are new take files out at once, stay in force, and give the files back without embedding them', async () => {
    await update(workspace, shallow);
    expect(await again({ rules: { exclude: ['lib'] } })).toMatchObject({ removed: 1, indexed: 0 });
    expect(await again()).toMatchObject({ removed: 0, unchanged: 3, excluded: { 'excluded by a glob': 1 } });
    expect(await again({ rules: { include: ['src/**'] } })).toMatchObject({ removed: 1, unchanged: 2 });
    expect(await again({ rules: { exclude: [], include: [] } })).toMatchObject({ indexed: 2, embedded: 0 });
  });

  test('that are new are asked of everything, though a part alone has changed', async () => {
    await update(workspace, shallow);
    await update(workspace, undefined, { rules: { exclude: ['lib'] } }, ['src/one.ts']);
    expect(await paths(workspace)).toEqual(['README.md', 'src/one.ts', 'src/two.ts']);
  });
});

test('vectors of texts that are gone are no more than those of texts that are there', async () => {
  await update(workspace, shallow);
  for (let round = 1; round <= 3; round++) {
    await write('src/one.ts', fileOf(100 * round, 100 * round + 1, 100 * round + 2, 100 * round + 3, 100 * round + 4));
    await write('src/two.ts', fileOf(100 * round + 5, 100 * round + 6, 100 * round + 7));
    expect(await again()).toMatchObject({ embedded: 8 });
    const { vectors, texts } = await ask(workspace, (reader) => ({ vectors: vectorsIn(reader, reader.activeEncoder()!).length, texts: reader.counts().chunks }));
    expect(vectors).toBeLessThanOrEqual(2 * texts);
  }
});

test('an update that is cancelled keeps what it has embedded', async () => {
  const cancel = new AbortController();
  const many = Array.from({ length: 40 }, (_, i) => `export const text${i} = '${'some words of a long line '.repeat(30)}${i}';\n`).join('\n');
  await write('many.ts', many);
  const index = await openIndex(workspace, { signal: cancel.signal });
  const steps = index.update(shallow);
  await until('vectors', steps);
  cancel.abort();
  await expect(steps.next()).rejects.toMatchObject({ code: 'CANCELLED' });
  await index.close();
  const kept = await ask(workspace, (reader) => vectorsIn(reader, reader.activeEncoder()!).length);
  expect(kept).toBeGreaterThan(0);
  const { embedded } = await again();
  expect(embedded).toBeGreaterThan(0);
  expect(embedded + kept).toBe(Object.keys(await chunksOf(workspace)).length);
});

test('a file that its language’s parser gave up on is counted', async () => {
  vi.mocked(chunkText).mockResolvedValueOnce({ chunks: [], fallback: 'parser gave up' });
  expect((await update(workspace)).texts).toMatchObject({ indexed: 4, fallbacks: 1 });
});

test('an index knows the functions that it was made of, by their places', async () => {
  await update(workspace);
  expect(Object.keys(await chunksOf(workspace)).filter((chunk) => chunk.startsWith('lib/'))).toEqual(['lib/three.ts:1:1-4:2 add8', 'lib/three.ts:6:1-9:2 add9']);
});
