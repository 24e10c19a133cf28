import { rm } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { locateIndex } from '../../../src/index/location.ts';
import { put } from '../files/workspace.ts';
import { connect } from '../store/sample.ts';
import { fileOf, finished, indexedWorkspace, openIndex, shallow, update, type Indexed } from './indexing.ts';

let workspace: Indexed;

beforeEach(async () => {
  workspace = await indexedWorkspace({ 'one.ts': fileOf(1, 2, 3, 4), 'two.ts': fileOf(5, 6) });
});

describe('an index that is damaged', () => {
  test('while it is brought up to date is built again, as it was asked for, and it is said', async () => {
    await update(workspace, shallow, { rules: { exclude: ['two.ts'] } });
    const { database: file } = await locateIndex(workspace.home, workspace.root);
    const database = connect(file);
    database.exec("UPDATE files SET hash = 'no hash'");
    database.close();
    await put(workspace.root, 'one.ts', fileOf(1, 2, 3));
    const { notices, texts, vectors } = await update(workspace);
    expect(notices).toEqual([expect.stringMatching(/^The index was damaged and is built again; the damaged file is kept as .+index\.sqlite\.damaged-\d+ and can be deleted\.$/)]);
    expect(texts).toMatchObject({ indexed: 1, excluded: { 'excluded by a glob': 1 } });
    expect(vectors).toMatchObject({ embedded: 3, encoder: { source: shallow } });
    expect((await update(workspace)).notices).toEqual([]);
  });

  test('when it is opened is built again, and it is said what is lost with it', async () => {
    await update(workspace, shallow);
    const { database: file } = await locateIndex(workspace.home, workspace.root);
    await rm(file);
    await put(path.dirname(file), path.basename(file), 'no index');
    const { notices, texts, vectors } = await update(workspace);
    expect(notices).toEqual([expect.stringMatching(/is kept as .+ Which files and which model it was to have is lost with it: name them again where you had named them\.$/)]);
    expect(texts).toMatchObject({ indexed: 2 });
    expect(vectors).toBeUndefined();
  });

  test('is built again, too, where somebody removes it while it is open', async () => {
    const index = await openIndex(workspace);
    await finished(index.update(shallow));
    await rm((await locateIndex(workspace.home, workspace.root)).database);
    await put(workspace.root, 'one.ts', fileOf(1));
    expect(await finished(index.update(shallow))).toMatchObject({ notices: [expect.stringMatching(/^The index was removed while it was open/)], texts: { indexed: 2 }, vectors: { embedded: 3 } });
  });
});
