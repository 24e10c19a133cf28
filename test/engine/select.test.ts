import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { fastestEngine, selectEngine } from '../../src/engine/select.ts';
import { engineFile, tensorflowFolder } from '../../src/engine/tensorflow/location.ts';
import { useFolder } from '../models/folder.ts';
import { describeWithTensorFlow, tensorflowHome } from './tensorflow-engine.ts';
import { describeWithWebGpu } from './webgpu-device.ts';

const folder = useFolder();
const speedFile = () => folder.path('engines', 'speed.json');

/** A data home with the TensorFlow that the tests installed. */
async function homeWithTensorFlow(): Promise<string> {
  const place = tensorflowFolder(folder.path());
  await mkdir(dirname(place), { recursive: true });
  await symlink(tensorflowFolder(tensorflowHome), place);
  return folder.path();
}

test('where one engine is there it is taken, and nothing is measured', async () => {
  const measured: string[] = [];
  const { engine, why } = await selectEngine('auto', { home: folder.path(), onProgress: ({ what }) => measured.push(what) });
  expect({ name: engine.name, why, measured }).toEqual({ name: 'onnx', why: undefined, measured: [] });
});

test('an engine that is asked for and not installed is refused, and no other taken in its place', async () => {
  await expect(selectEngine('tensorflow', { home: folder.path() })).rejects.toMatchObject({ code: 'ENGINE' });
});

test('a damaged installation leaves the other engine, and is told of', async () => {
  const place = tensorflowFolder(folder.path());
  await mkdir(place, { recursive: true });
  await writeFile(`${place}/${engineFile}`, '{"format": 9}');
  const { engine, why } = await selectEngine('auto', { home: folder.path() });
  expect({ name: engine.name, why }).toEqual({ name: 'onnx', why: expect.stringContaining('--force') });
});

test('a GPU is ONNX Runtime’s to compute on, and asking another engine for it is refused', async () => {
  await expect(selectEngine('tensorflow', { home: folder.path(), device: 'webgpu' })).rejects.toMatchObject({ code: 'USAGE' });
});

describeWithWebGpu('where there is a GPU', () => {
  test('it is tried in another process, which says what the CPU computes all the same', async () => {
    const { engine, why } = await selectEngine('auto', { home: folder.path(), device: 'webgpu' });
    expect({ name: engine.name, why }).toEqual({ name: 'onnx', why: expect.stringMatching(/on the GPU.*: Concat, LogSoftmax, Reshape\.$/) });
  });

  test('a signal that has come ends the trial', async () => {
    await expect(selectEngine('auto', { home: folder.path(), device: 'webgpu', signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

test.runIf(process.platform === 'linux')('a machine without a GPU is told so in a sentence', async () => {
  const drivers = process.env['VK_DRIVER_FILES'];
  process.env['VK_DRIVER_FILES'] = folder.path('none');
  try {
    await expect(selectEngine('auto', { home: folder.path(), device: 'webgpu' })).rejects.toMatchObject({
      code: 'ENGINE',
      message: expect.stringMatching(/^WebGPU does not work on this machine, leave --device webgpu out: .*adapter/),
    });
  } finally {
    if (drivers === undefined) delete process.env['VK_DRIVER_FILES'];
    else process.env['VK_DRIVER_FILES'] = drivers;
  }
});

describeWithTensorFlow('where two engines are there', () => {
  test('both are measured once, and the one whose step was shorter is taken from then on', async () => {
    const home = await homeWithTensorFlow();
    const measured: string[] = [];
    const choose = () => fastestEngine({ home, threads: 2, onProgress: ({ what }) => measured.push(what) });
    const first = await choose();
    expect(measured).toHaveLength(2);
    const [[key, seconds]] = Object.entries(JSON.parse(await readFile(speedFile(), 'utf8')) as object) as [[string, Record<'onnx' | 'tensorflow', number>]];
    expect(first.name).toBe(seconds.onnx < seconds.tensorflow ? 'onnx' : 'tensorflow');

    const remember = (other: object) => writeFile(speedFile(), JSON.stringify({ [key]: other }));
    await remember({ onnx: 2, tensorflow: 1 });
    expect(await choose()).toEqual({ name: 'tensorflow', why: expect.stringContaining('2.0 times as fast') });
    await remember({ onnx: 1, tensorflow: 3 });
    expect(await choose()).toEqual({ name: 'onnx', why: expect.stringContaining('3.0 times as fast') });
    await remember({ onnx: 1, tensorflow: null });
    expect(await choose()).toEqual({ name: 'onnx', why: expect.stringContaining('TensorFlow fails here') });
    expect(measured).toHaveLength(2);

    // With other threads it is another measurement, which a signal that has come ends.
    await expect(fastestEngine({ home, threads: 1, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});
