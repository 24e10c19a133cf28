import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Encoder } from '../../src/encoder/encoder.ts';
import { openCheckpoint } from '../../src/models/checkpoint.ts';
import { readSafetensors, readTensorBytes } from '../../src/models/safetensors.ts';
import type { Checkpoint } from '../../src/models/types.ts';
import { listCheckpoints, trainingDescription } from '../../src/prune/checkpoints.ts';
import { defaultSettings } from '../../src/prune/checkpoint-settings.ts';
import { readManifest } from '../../src/prune/manifest.ts';
import { pruneCheckpoint, type PruneOptions } from '../../src/prune/prune.ts';
import { LLAMA, snapshot, useFolder } from '../models/folder.ts';
import { encodeWith, inputOf, readReference, worstDifference } from '../reference.ts';

const folder = useFolder();
const reference = readReference('llama');
const prepare = (encoder: Encoder) => reference.inputs.map((input) => encoder.prepare(inputOf(input)));
let llama: Checkpoint;
beforeAll(async () => {
  llama = await openCheckpoint(LLAMA);
});

async function prune(checkpoint: Checkpoint, layers: number, out: string, more: Partial<PruneOptions> = {}) {
  const encoder = await defaultSettings(checkpoint);
  return pruneCheckpoint(checkpoint, { depth: { kind: 'layers', layers }, out, encoder, curve: null, ...more });
}

describe('pruneCheckpoint', () => {
  test('writes a model that gives what the whole one gives at that layer', async () => {
    await prune(llama, 4, folder.path('cut'));
    const cut = await openCheckpoint(folder.path('cut'));
    const ours = await encodeWith(cut, { maxLength: 96, output: 'last' }, prepare);
    const whole = await encodeWith(llama, { maxLength: 96, layers: 4, output: 'last' }, prepare);
    expect(worstDifference(ours, whole, 64)).toBe(0);
  });

  test('copies the kept weights byte for byte in their storage type, and no others', async () => {
    await prune(llama, 2, folder.path('cut'));
    const kept = await readSafetensors(folder.path('cut'));
    for (const [name, tensor] of kept) {
      const original = llama.tensors.get(name)!;
      expect(tensor.type).toBe(original.type);
      expect(await readTensorBytes(tensor)).toEqual(await readTensorBytes(original));
    }
    expect([...kept.keys()].filter((name) => /layers\.[2-5]\.|lm_head/.test(name))).toEqual([]);
    expect(kept.size).toBe(2 * 9 + 2);
  });

  test('composes: a cut of a cut is the cut', async () => {
    await prune(llama, 5, folder.path('five'));
    await prune(await openCheckpoint(folder.path('five')), 3, folder.path('three'));
    await prune(llama, 3, folder.path('direct'));
    const weights = (name: string) => readFile(folder.path(name, 'model.safetensors'));
    expect(await weights('three')).toEqual(await weights('direct'));
    const manifest = (await readManifest(folder.path('three')))!;
    expect(manifest.base).toMatchObject({ name: 'model', layers: 6 });
    expect(manifest.history.map(({ from, layers }) => [from.layers, layers])).toEqual([
      [6, 5],
      [5, 3],
    ]);
  });

  test('never overwrites without force', async () => {
    await prune(llama, 2, folder.path('cut'));
    const before = await snapshot(folder.path('cut'));
    await expect(prune(llama, 3, folder.path('cut'))).rejects.toMatchObject({ code: 'EXISTS' });
    expect(await snapshot(folder.path('cut'))).toEqual(before);
    await prune(llama, 3, folder.path('cut'), { force: true });
    expect((await openCheckpoint(folder.path('cut'))).config.numHiddenLayers).toBe(3);
  });

  test('replaces no folder of another kind, even with force', async () => {
    await mkdir(folder.path('home'));
    await writeFile(folder.path('home', 'thesis.tex'), 'years of work');
    await expect(prune(llama, 3, folder.path('home'), { force: true })).rejects.toMatchObject({ code: 'EXISTS' });
    expect(await readFile(folder.path('home', 'thesis.tex'), 'utf8')).toBe('years of work');
  });

  test('leaves nothing when it is cancelled', async () => {
    const cancel = new AbortController();
    const cutting = prune(llama, 4, folder.path('cut'), { signal: cancel.signal, onProgress: () => cancel.abort() });
    await expect(cutting).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(await readdir(folder.path())).toEqual([]);
  });

  test('refuses weights that are not finite, and leaves nothing', async () => {
    await cp(LLAMA, folder.path('nan'), { recursive: true });
    const whole = await openCheckpoint(folder.path('nan'));
    const { offset, file } = whole.tensors.get('model.layers.1.mlp.up_proj.weight')!;
    const bytes = await readFile(file);
    bytes.writeUInt16LE(0x7fc0, offset + 10); // a quiet NaN in bfloat16
    await writeFile(file, bytes);
    await expect(prune(whole, 4, folder.path('cut'))).rejects.toMatchObject({
      code: 'NOT_FINITE',
      message: expect.stringContaining('model.layers.1.mlp.up_proj.weight') as string,
    });
    // What lies beyond the cut does not matter.
    await prune(whole, 1, folder.path('one'));
    expect((await readdir(folder.path())).sort()).toEqual(['nan', 'one']);
  });
});

describe('listCheckpoints', () => {
  test('lists checkpoints, pairs of them, and damaged ones with the reason, and no training that is not finished', async () => {
    await prune(llama, 2, folder.path('one'));
    await prune(llama, 2, folder.path('pair', 'small'));
    await prune(llama, 5, folder.path('pair', 'large'));
    await mkdir(folder.path('.half.tmp-1-a'));
    await mkdir(folder.path('strange'));
    for (const run of [['stopped'], ['both', 'small']]) {
      await mkdir(folder.path(...run, 'training'), { recursive: true });
      await writeFile(folder.path(...run, trainingDescription), '{}');
    }
    const { checkpoints, damaged } = await listCheckpoints(folder.path());
    expect(checkpoints.map(({ path, layersKept }) => [path.slice(folder.path().length + 1), layersKept]).sort()).toEqual([
      ['one', 2],
      [join('pair', 'large'), 5],
      [join('pair', 'small'), 2],
    ]);
    expect(damaged).toEqual([{ path: folder.path('strange'), reason: expect.stringContaining('l3prune.json') as string }]);
  });

  test('finds none where there is no folder', async () => {
    expect(await listCheckpoints(folder.path('nowhere'))).toEqual({ checkpoints: [], damaged: [] });
  });
});
