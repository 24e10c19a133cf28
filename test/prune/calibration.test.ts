import { cp, readFile, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { applyCalibration, roles, type Calibration, type CalibrationKind } from '../../src/encoder/calibration.ts';
import { Encoder } from '../../src/encoder/encoder.ts';
import { openCheckpoint } from '../../src/models/checkpoint.ts';
import type { Checkpoint } from '../../src/models/types.ts';
import { readCalibration, writeCalibration } from '../../src/prune/calibration.ts';
import { defaultSettings } from '../../src/prune/checkpoint-settings.ts';
import { leadingComponents } from '../../src/prune/components.ts';
import { readManifest } from '../../src/prune/manifest.ts';
import { calibrateAt, measureCalibration } from '../../src/prune/measure-calibration.ts';
import { pruneCheckpoint } from '../../src/prune/prune.ts';
import { LLAMA, snapshot, useFolder } from '../models/folder.ts';
import { engine, fixtures, readReference, tripletsOf, worstDifference } from '../reference.ts';

const folder = useFolder();
const triplets = tripletsOf(readReference('llama'));
const layers = 3;
const use = { layers, attention: 'causal', pooling: 'weighted_mean' } as const;
let llama: Checkpoint;
beforeAll(async () => {
  llama = await openCheckpoint(LLAMA);
});

async function measure(kind: CalibrationKind, components: number, instruction?: string): Promise<Calibration> {
  const settings = { ...(await defaultSettings(llama)), maxLength: 96, ...(instruction === undefined ? {} : { instruction }) };
  const running = calibrateAt(engine, llama, layers, triplets, { kind, components }, settings);
  for (;;) {
    const step = await running.next();
    if (step.done) return step.value;
  }
}

/** The plain vectors that a calibration is measured on. */
async function vectors(): Promise<{ query: Float32Array[]; document: Float32Array[] }> {
  const encoder = await Encoder.open(engine, llama, { ...use, maxLength: 96, output: 'last' });
  const encoded = await encoder.encode(
    [...triplets.map(({ query }) => query), ...triplets.map(({ positive }) => positive)].map((text) => encoder.prepare({ text })),
  );
  await encoder.dispose();
  const all = Array.from({ length: 2 * triplets.length }, (_, i) => encoded.slice(i * 64, (i + 1) * 64));
  return { query: all.slice(0, triplets.length), document: all.slice(triplets.length) };
}

const meanOf = (rows: readonly Float32Array[]): Float32Array => rows[0]!.map((_, i) => rows.reduce((sum, row) => sum + row[i]!, 0) / rows.length);
const length = (vector: Float32Array): number => Math.hypot(...vector);

describe('measureCalibration', () => {
  test('with one mean centres queries and documents on the middle between the two', async () => {
    const [calibration, plain] = [await measure('mean', 0), await vectors()];
    const [query, document] = roles.map((role) => meanOf(applyCalibration(calibration, role, plain[role])));
    expect(worstDifference(query!, document!.map((x) => -x), 64)).toBeLessThan(1e-4);
    expect(length(query!)).toBeGreaterThan(1e-3);
  });

  test('with a router centres queries and documents each on its own', async () => {
    const [calibration, plain] = [await measure('router', 0), await vectors()];
    for (const role of roles) expect(length(meanOf(applyCalibration(calibration, role, plain[role])))).toBeLessThan(1e-5 * length(meanOf(plain[role])));
  });

  test('takes the directions off along which the centred vectors differ most', async () => {
    const [before, after, plain] = [await measure('router', 0), await measure('router', 3), await vectors()];
    const centred = roles.flatMap((role) => applyCalibration(before, role, plain[role]));
    const left = roles.flatMap((role) => applyCalibration(after, role, plain[role]));
    const directions = leadingComponents(centred.map((row) => Float64Array.from(row)), 3);
    const energy = (rows: readonly Float32Array[]): number => rows.reduce((sum, row) => sum + length(row) ** 2, 0);
    for (const row of left) for (const direction of directions) expect(direction.reduce((sum, x, i) => sum + x * row[i]!, 0)).toBeCloseTo(0, 4);
    const along = directions.reduce((sum, direction) => sum + centred.reduce((total, row) => total + direction.reduce((dot, x, i) => dot + x * row[i]!, 0) ** 2, 0), 0);
    expect(energy(left)).toBeCloseTo(energy(centred) - along, 3);
  });

  test('encodes queries as the encoder is asked them, under its instruction', async () => {
    const [bare, instructed] = [await measure('router', 0), await measure('router', 0, 'Find what is meant:')];
    expect(worstDifference(instructed.maps.query.bias, bare.maps.query.bias, 64)).toBeGreaterThan(0.01);
    expect(worstDifference(instructed.maps.document.bias, bare.maps.document.bias, 64)).toBeLessThan(1e-5);
  });

  test('refuses rows that are too few for what is to be taken off', async () => {
    await expect(measure('mean', 24)).rejects.toMatchObject({ code: 'BAD_DATA' });
  });

  test('stops between two runs when it is cancelled', async () => {
    const encoder = await Encoder.open(engine, llama, { ...use, maxLength: 96, output: 'last' });
    const running = measureCalibration(encoder, triplets, { kind: 'mean', components: 0 }, { separator: ' ' }, AbortSignal.abort());
    await expect(running.next()).rejects.toMatchObject({ code: 'CANCELLED' });
    await encoder.dispose();
  });
});

test("the leading components are scikit-learn's", async () => {
  const { rows, components } = JSON.parse(await readFile(`${fixtures}/calibration/pca.json`, 'utf8')) as Record<'rows' | 'components', number[][]>;
  const found = leadingComponents(rows!.map((row) => Float64Array.from(row)), components!.length);
  found.forEach((direction, n) => {
    const cosine = direction.reduce((sum, x, i) => sum + x * components![n]![i]!, 0);
    expect(Math.abs(cosine)).toBeGreaterThan(1 - 1e-9);
  });
});

describe('the calibration of a checkpoint', () => {
  async function cut(calibration?: Calibration, name = 'cut'): Promise<Checkpoint> {
    const encoder = { ...(await defaultSettings(llama)), maxLength: 96 };
    await pruneCheckpoint(llama, { depth: { kind: 'layers', layers }, out: folder.path(name), encoder, curve: null, calibration });
    return openCheckpoint(folder.path(name));
  }
  const read = async (checkpoint: Checkpoint, how: Parameters<typeof readCalibration>[2] = use): ReturnType<typeof readCalibration> =>
    readCalibration(checkpoint, await readManifest(checkpoint.directory), how);

  test.each([
    ['mean', 0],
    ['mean', 2],
    ['router', 0],
    ['router', 2],
  ] as const)('is read as it was written (%s, %i components)', async (kind, components) => {
    const calibration = await measure(kind, components);
    expect(await read(await cut(calibration))).toEqual(calibration);
  });

  test('is that of its own depth, attention and pooling, and of no other', async () => {
    const checkpoint = await cut(await measure('mean', 0));
    for (const other of [{ layers: 2 }, { attention: 'bidirectional' }, { pooling: 'mean' }] as const) expect(await read(checkpoint, { ...use, ...other })).toBeUndefined();
  });

  test('takes the place of another one as if it had been there from the start, and goes without a trace', async () => {
    const router = await measure('router', 2);
    const checkpoint = await cut(await measure('mean', 0), 'changed');
    await writeCalibration(checkpoint, router);
    expect(await contents(checkpoint)).toEqual(await contents(await cut(router, 'routed')));
    await writeCalibration(checkpoint, undefined);
    expect(await contents(checkpoint)).toEqual(await contents(await cut(undefined, 'plain')));
  });

  test('is none in a checkpoint of format 1, whose mean vectors no other program applied', async () => {
    await cut();
    const path = folder.path('cut', 'l3prune.json');
    const { calibration: _, ...manifest } = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
    await writeFile(path, JSON.stringify({ ...manifest, format: 1, calibrated: true }));
    const checkpoint = await openCheckpoint(folder.path('cut'));
    expect(await read(checkpoint)).toBeUndefined();
    await writeCalibration(checkpoint, await measure('mean', 0));
    expect(await readManifest(checkpoint.directory)).toMatchObject({ format: 2, calibration: { kind: 'mean' } });
  });

  test('that is damaged is one sentence', async () => {
    const checkpoint = await cut(await measure('mean', 0));
    await cp(`${LLAMA}/model.safetensors`, folder.path('cut', '2_Dense', 'model.safetensors'));
    await expect(read(checkpoint)).rejects.toMatchObject({ code: 'BAD_MODEL_FILE' });
  });
});

/** Every file of a folder by its path in it, but for the dates in its manifest. */
async function contents({ directory }: Checkpoint): Promise<Record<string, string>> {
  const undated = (content: string): string => Buffer.from(content, 'base64').toString('latin1').replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'a date');
  return Object.fromEntries(Object.entries(await snapshot(directory)).map(([path, content]) => [path.slice(directory.length), undated(content)]));
}
