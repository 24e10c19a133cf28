import { mkdir, rename, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { readWorkspaceFile } from '../../../src/index/files/read.ts';
import { put } from '../files/workspace.ts';
import { ask, fileOf, indexedWorkspace, openIndex, paths, until, update, type Indexed } from './indexing.ts';

vi.mock('../../../src/index/files/read.ts', { spy: true });

const files = ['a/one.ts', 'a/two.ts', 'b/three.ts', 'b/c/four.ts', 'five.ts'];
let workspace: Indexed;
let elsewhere: string;

beforeEach(async () => {
  workspace = await indexedWorkspace(Object.fromEntries(files.map((name, i) => [name, fileOf(i)])));
  elsewhere = `${workspace.root}-elsewhere`;
  await update(workspace);
  // All of it is to be read again.
  for (const [i, name] of files.entries()) await put(workspace.root, name, fileOf(i + 10));
});

/** Does something when an update comes to read its first file. */
async function whileReading(change: () => Promise<unknown>): Promise<void> {
  const { readWorkspaceFile: read } = await vi.importActual<{ readWorkspaceFile: typeof readWorkspaceFile }>('../../../src/index/files/read.ts');
  vi.mocked(readWorkspaceFile).mockImplementationOnce(async (...args) => {
    await change();
    return read(...args);
  });
}

async function comeBack(): Promise<void> {
  await rm(workspace.root, { recursive: true, force: true });
  await rename(elsewhere, workspace.root);
}

describe('a workspace that goes away while it is indexed', () => {
  test.for([
    { how: 'by a new name', change: () => rename(workspace.root, elsewhere) },
    {
      how: 'and leaves an empty folder, as a disk that is unmounted',
      change: async () => {
        await rename(workspace.root, elsewhere);
        await mkdir(workspace.root);
      },
    },
  ])('$how keeps its index, and it is said', async ({ change }) => {
    await whileReading(change);
    await expect(update(workspace)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    // The index is found by the path of the workspace, which has to be there for that.
    await comeBack();
    expect(await paths(workspace)).toEqual(files.toSorted());
    expect((await update(workspace)).texts).toMatchObject({ removed: 0 });
    expect(await ask(workspace, (reader) => reader.counts().files)).toBe(files.length);
  });

  test('after it was opened says so, and is looked at once it is back', async () => {
    const index = await openIndex(workspace);
    await rename(workspace.root, elsewhere);
    await expect(until('encoder', index.update())).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await comeBack();
    await expect(until('encoder', index.update())).rejects.toThrow('It ended before encoder.');
    expect(await paths(workspace)).toEqual(files.toSorted());
  });

  test('before it was opened is no workspace', async () => {
    await rename(workspace.root, elsewhere);
    await expect(update(workspace)).rejects.toThrow(/^The workspace .+ cannot be opened: there is no such file or folder\.$/);
    await put(path.dirname(workspace.root), path.basename(workspace.root), 'a file');
    await expect(update(workspace)).rejects.toThrow(/^The workspace .+ is a file: name a folder\.$/);
    await rm(workspace.root);
    await rename(elsewhere, workspace.root);
  });
});

test('a folder that goes away while its workspace is indexed is taken out, and nothing else', async () => {
  await whileReading(() => rename(path.join(workspace.root, 'b'), elsewhere));
  expect((await update(workspace)).texts).toMatchObject({ removed: 2 });
  expect(await paths(workspace)).toEqual(['a/one.ts', 'a/two.ts', 'five.ts']);
  await rm(elsewhere, { recursive: true });
});

test('a workspace without files has an index without files', async () => {
  for (const name of files) await rm(path.join(workspace.root, name));
  await rmdir(path.join(workspace.root, 'b', 'c'));
  expect((await update(workspace)).texts).toMatchObject({ removed: 5 });
  expect(await paths(workspace)).toEqual([]);
});
