import { beforeEach, describe, expect, test, vi } from 'vitest';
import { locateIndex } from '../../../src/index/location.ts';
import { ChunkVectors } from '../../../src/index/search/vectors.ts';
import { put } from '../files/workspace.ts';
import { connect } from '../store/sample.ts';
import { ask, chunksOf, deeper, fileOf, finished, indexedWorkspace, openIndex, shallow, until, update, type Indexed } from './indexing.ts';
import { vectorsIn } from '../store/vectors.ts';

let workspace: Indexed;

beforeEach(async () => {
  workspace = await indexedWorkspace({ 'one.ts': fileOf(1, 2, 3, 4), 'two.ts': fileOf(5, 6) });
});

/** The encoder that answers, the one that is to, and how many vectors there are of each. */
async function encoders() {
  return ask(workspace, (reader) => {
    const [active, target] = [reader.activeEncoder(), reader.targetEncoder()];
    const count = (encoder: typeof active): number => (encoder === undefined ? 0 : vectorsIn(reader, encoder).length);
    return { active: active?.source.layers, target: target?.source.layers, vectors: count(active), ofTarget: count(target) };
  });
}

async function vectorsInAll(): Promise<unknown> {
  const { database: file } = await locateIndex(workspace.home, workspace.root);
  const database = connect(file);
  const counts = database.prepare('SELECT (SELECT count(*) FROM vectors) AS vectors, (SELECT count(*) FROM encoders) AS encoders').get();
  database.close();
  return { ...counts };
}

describe('another encoder', () => {
  test('answers once it has all vectors, and until then the old one does', async () => {
    await update(workspace, shallow);
    const index = await openIndex(workspace);
    const steps = index.update(deeper);
    await until('vectors', steps);
    expect(await encoders()).toEqual({ active: 1, target: 2, vectors: 6, ofTarget: 0 });
    expect(await finished(steps)).toMatchObject({ vectors: { embedded: 6 } });
    expect(await encoders()).toEqual({ active: 2, target: 2, vectors: 6, ofTarget: 6 });
    expect(await vectorsInAll()).toEqual({ vectors: 6, encoders: 1 });
  });

  test('that was left halfway is gone on with by who names none', async () => {
    await update(workspace, shallow);
    const index = await openIndex(workspace);
    await until('vectors', index.update(deeper));
    await index.close();
    expect(await encoders()).toMatchObject({ active: 1, target: 2 });
    expect(await update(workspace)).toMatchObject({ vectors: { embedded: 6, encoder: { source: deeper } } });
    expect(await encoders()).toMatchObject({ active: 2, target: 2 });
  });

  test('that was left halfway goes when the one before is asked for again', async () => {
    await update(workspace, shallow);
    const before = await chunksOf(workspace);
    const index = await openIndex(workspace);
    await until('vectors', index.update(deeper));
    await index.close();
    expect(await update(workspace, shallow)).toMatchObject({ vectors: { embedded: 0 } });
    expect(await encoders()).toEqual({ active: 1, target: 1, vectors: 6, ofTarget: 6 });
    expect(await vectorsInAll()).toEqual({ vectors: 6, encoders: 1 });
    expect(await chunksOf(workspace)).toEqual(before);
  });

  test('does not answer before what has changed meanwhile has its vectors, too', async () => {
    await update(workspace, shallow);
    const index = await openIndex(workspace);
    const steps = index.update(deeper);
    await until('encoder', steps);
    await put(workspace.root, 'two.ts', fileOf(5, 60));
    expect(await finished(steps)).toMatchObject({ vectors: { embedded: 6, skipped: 0 } });
    expect(Object.values(await chunksOf(workspace))).not.toContain('');
    expect(await encoders()).toMatchObject({ active: 2, target: 2 });
  });

  test('is opened where an index that is open is asked for it, and for all layers is another than for some', async () => {
    const index = await openIndex(workspace);
    expect(await finished(index.update(shallow))).toMatchObject({ vectors: { encoder: { source: { layers: 1 } } } });
    expect(await finished(index.update({ model: shallow.model }))).toMatchObject({ vectors: { embedded: 6, encoder: { source: { layers: 6 } } } });
    const { IndexEncoder } = await import('../../../src/index/encoder.ts');
    const open = vi.spyOn(IndexEncoder, 'open');
    await put(workspace.root, 'three.ts', fileOf(9));
    expect(await finished(index.update())).toMatchObject({ vectors: { embedded: 1 } });
    expect(await finished(index.update({ model: shallow.model }))).toMatchObject({ vectors: { embedded: 0 } });
    expect(open).not.toHaveBeenCalled();
    open.mockRestore();
  });

  test('of other dimensions than the vectors that are stored under its name is said, and makes them again', async () => {
    await update(workspace, shallow);
    const { database: file } = await locateIndex(workspace.home, workspace.root);
    const database = connect(file);
    database.exec("UPDATE vectors SET vector = x'0102030405060708' WHERE id = 2");
    database.close();
    await expect(chunkVectors()).rejects.toMatchObject({ code: 'BAD_INDEX', message: expect.stringMatching(/holds a vector of 8 bytes .+: run l3prune index to make it again/) });
    expect(await update(workspace)).toMatchObject({ vectors: { embedded: 1 } });
    expect(await chunkVectors()).toBe(6);
  });
});

function chunkVectors(): Promise<number> {
  return ask(workspace, (reader) => {
    const vectors = new ChunkVectors(reader.activeEncoder()!);
    vectors.refresh(reader);
    return vectors.length;
  });
}

test('the same encoder again embeds nothing', async () => {
  await update(workspace, shallow);
  expect(await update(workspace, shallow)).toMatchObject({ vectors: { embedded: 0 } });
});

test('without an encoder there are no vectors, and with one that is named later there are', async () => {
  expect((await update(workspace)).vectors).toBeUndefined();
  expect(await encoders()).toMatchObject({ active: undefined, target: undefined });
  expect(await update(workspace, shallow)).toMatchObject({ texts: { indexed: 0 }, vectors: { embedded: 6 } });
});
