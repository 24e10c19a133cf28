import { existsSync } from 'node:fs';
import { mkdir, readFile, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { tensorflowFolder } from '../../src/engine/tensorflow/location.ts';
import { WorkerClient } from '../../src/extension/workerClient.ts';
import { engineProgress, installTensorFlow, removeTensorFlow, type ByteProgress } from '../../src/protocol/engine.ts';
import { jobProgress, pruneModel, type PruneJob } from '../../src/protocol/prune.ts';
import { names } from '../cli/harness.ts';
import { describeWithTensorFlow, installed, tensorflowHome } from '../engine/tensorflow-engine.ts';
import { waitingNpm, workingTools, writeTools } from '../engine/tools.ts';
import { LLAMA, useFolder } from '../models/folder.ts';
import { within } from './harness.ts';

const folder = useFolder();
const home = () => folder.path('home');
const entry = fileURLToPath(new URL('../../dist/worker.mjs', import.meta.url));

const clients: WorkerClient[] = [];
afterEach(() => clients.splice(0).forEach((client) => client.dispose()));

/** A client of the built worker, started with variables over this process's. */
function client(env: Readonly<Record<string, string>> = {}): WorkerClient {
  const log = { info: () => undefined, warn: () => undefined };
  const made = new WorkerClient({ entry, env: () => ({ L3PRUNE_HOME: home(), ...env }), log, backOff: () => 0 });
  clients.push(made);
  return made;
}

const silent = { type: engineProgress, onProgress: (): void => undefined };

// Elsewhere the package's own installer runs, by the real npm.
describe.skipIf(process.platform !== 'linux' || process.arch !== 'x64')('installing TensorFlow by the worker', () => {
  it('says what it does, and ends within two seconds of a cancel with nothing left', async () => {
    const pidFile = folder.path('npm.pid');
    await writeTools(folder.path('bin'), { ...workingTools, npm: waitingNpm(pidFile) });
    const steps: ByteProgress[] = [];
    const job = client({ PATH: folder.path('bin') }).startJob(installTensorFlow, { variant: 'cpu' }, { type: engineProgress, onProgress: (step) => steps.push(step) });
    job.result.catch(() => undefined);
    await vi.waitUntil(() => existsSync(pidFile), 20_000);
    await job.cancel();
    await expect(within(2000, job.result)).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(steps.map(({ what }) => what)).toContain('installing @tensorflow/tfjs-node with npm');
    expect(await names(join(home(), 'engines'))).toEqual([]);
    const npm = Number(await readFile(pidFile, 'utf8'));
    expect(() => process.kill(npm, 0)).toThrow('ESRCH');
  });

  it('says in a sentence what the machine lacks', async () => {
    await writeTools(folder.path('bin'), {});
    const job = client({ PATH: folder.path('bin') }).startJob(installTensorFlow, { variant: 'cpu' }, silent);
    await expect(job.result).rejects.toMatchObject({ code: 'MISSING_TOOL', message: expect.stringMatching(/npm .* pip .* g\+\+/) });
  });
});

it('removing TensorFlow that is not there fails with a sentence', async () => {
  await expect(client().startJob(removeTensorFlow, {}, silent).result).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

describe('the engine that the worker is started with', () => {
  const prune = (engine: string) => {
    const job: PruneJob = { model: LLAMA, data: { kind: 'triplets', path: folder.path('t.jsonl') }, depths: [{ kind: 'small' }], settings: {} };
    return client({ L3PRUNE_ENGINE: engine }).startJob(pruneModel, job, { type: jobProgress, onProgress: () => undefined }).result;
  };

  it('computes a job, or says that it is not installed', async () => {
    await expect(prune('tensorflow')).rejects.toMatchObject({ code: 'ENGINE', message: expect.stringContaining('l3prune engine install tensorflow') });
  });

  it('has to be one that there is', async () => {
    await expect(prune('pytorch')).rejects.toMatchObject({ code: 'USAGE', message: expect.stringContaining('auto, onnx, tensorflow') });
  });
});

describeWithTensorFlow('TensorFlow that is installed', () => {
  it('is left as it is, and removed when that is asked for', async () => {
    const directory = tensorflowFolder(home());
    await mkdir(dirname(directory), { recursive: true });
    await symlink(tensorflowFolder(tensorflowHome), directory);
    const worker = client();
    expect(await worker.startJob(installTensorFlow, { variant: 'cpu' }, silent).result).toEqual({ ...installed, directory });
    expect(await worker.startJob(removeTensorFlow, {}, silent).result).toBe(directory);
    expect(existsSync(directory)).toBe(false);
  });
});
