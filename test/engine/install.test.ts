import { existsSync } from 'node:fs';
import type * as fs from 'node:fs/promises';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { compileAddon, patchPackage } from '../../src/engine/install/addon.ts';
import { installTensorFlow, removeTensorFlow } from '../../src/engine/install/install.ts';
import { listEngines } from '../../src/engine/list.ts';
import { engineFile, tensorflowFolder, tensorflowPackages, type EngineManifest } from '../../src/engine/tensorflow/location.ts';
import { useFolder } from '../models/folder.ts';
import { describeWithTensorFlow, installed, tensorflowHome } from './tensorflow-engine.ts';
import { waitingNpm, workingTools, writeTools } from './tools.ts';

const free = vi.hoisted(() => ({ blocks: 2 ** 40 }));
vi.mock('node:fs/promises', async (original) => ({ ...(await original<typeof fs>()), statfs: async () => ({ bavail: free.blocks, bsize: 1 }) }));

const folder = useFolder();
const home = () => folder.path('home');
afterEach(() => {
  vi.unstubAllEnvs();
  free.blocks = 2 ** 40;
});

/** Puts scripts in the place of the programs that an installation runs; nothing else is on the PATH. */
async function tools(scripts: Readonly<Record<string, string>>): Promise<void> {
  await writeTools(folder.path('bin'), scripts);
  vi.stubEnv('PATH', folder.path('bin'));
}

const install = (options: Partial<Parameters<typeof installTensorFlow>[0]> = {}) => installTensorFlow({ home: home(), variant: 'cpu', ...options });

/** What is left in the folder of the engines. */
const leftovers = () => readdir(folder.path('home', 'engines')).catch(() => []);

/** An engine that says it is installed, and does nothing. */
async function pretendInstalled(): Promise<string> {
  const place = tensorflowFolder(home());
  await mkdir(place, { recursive: true });
  const manifest: EngineManifest = { format: 1, variant: 'cpu', packageVersion: '4.22.0', tensorflowVersion: '2.21.0', bytes: 7, createdBy: 'a test' };
  await writeFile(join(place, engineFile), JSON.stringify(manifest));
  return place;
}

// The wheel is Linux's; elsewhere npm's own installation is used.
describe.skipIf(process.platform !== 'linux' || process.arch !== 'x64')('before anything is fetched', () => {
  test.each([
    ['npm', /^TensorFlow cannot be installed here\. npm was not found: install Node\.js with it; VS Code .* PATH .* works\.$/],
    ['python3', /^TensorFlow cannot be installed here\. pip was not found: install Python 3 with pip \(.*python3-pip\)\.$/],
    ['g++', /^TensorFlow cannot be installed here\. g\+\+ with C\+\+17 was not found: install GCC 8 or newer \(.*g\+\+\)\.$/],
  ])('%s that is missing is named, with what to install', async (missing, sentence) => {
    const { [missing as 'npm']: _, ...others } = workingTools;
    await tools(others);
    await expect(install()).rejects.toMatchObject({ code: 'MISSING_TOOL', message: expect.stringMatching(sentence) });
    expect(await leftovers()).toEqual([]);
  });

  test('a compiler that knows no C++17 is none', async () => {
    await tools({ ...workingTools, 'g++': 'exit 1' });
    await expect(install()).rejects.toMatchObject({ code: 'MISSING_TOOL', message: expect.stringContaining('C++17') });
  });

  test('a disk that is too small is named, with what is needed and what is left', async () => {
    await tools(workingTools);
    free.blocks = 1_000_000_000;
    await expect(install()).rejects.toMatchObject({ code: 'MISSING_TOOL', message: expect.stringMatching(/needs 1\.5 GB on the disk of .*home.* has 1 GB left/) });
    await expect(install({ variant: 'gpu' })).rejects.toMatchObject({ message: expect.stringContaining('needs 7.5 GB') });
  });

  test('everything that is missing is named at once', async () => {
    await tools({});
    await expect(install()).rejects.toMatchObject({ message: expect.stringMatching(/npm .* pip .* g\+\+/) });
  });
});

describe.skipIf(process.platform !== 'linux' || process.arch !== 'x64')('an installation that fails', () => {
  test("says npm's reason, and leaves nothing", async () => {
    await tools({ ...workingTools, npm: 'if [ "$1" = ci ]; then echo "npm error code E404" >&2; echo "npm error 404 Not Found - no such package." >&2; exit 1; fi' });
    await expect(install()).rejects.toMatchObject({ code: 'INSTALL_FAILED', message: 'npm could not install TensorFlow.js: 404 Not Found - no such package.' });
    expect(await leftovers()).toEqual([]);
  });

  test("says pip's reason, and leaves nothing", async () => {
    await tools({ ...workingTools, python3: 'case "$*" in *--version*) echo "pip 99.0" ;; *) echo "ERROR: No matching distribution found for it." >&2; exit 1 ;; esac' });
    await expect(install()).rejects.toMatchObject({ code: 'INSTALL_FAILED', message: expect.stringMatching(/^pip could not download tensorflow-cpu==.*: No matching distribution found for it\.$/) });
    expect(await leftovers()).toEqual([]);
  });

  test('refuses a wheel that is not the one, and leaves nothing', async () => {
    await tools(workingTools);
    await expect(install()).rejects.toMatchObject({ code: 'DOWNLOAD_CORRUPT', message: expect.stringContaining('SHA-256') });
    expect(await leftovers()).toEqual([]);
  });

  test('leaves the engine as it was that it should have replaced', async () => {
    const place = await pretendInstalled();
    await tools(workingTools);
    await expect(install({ force: true })).rejects.toMatchObject({ code: 'DOWNLOAD_CORRUPT' });
    expect(await readdir(place)).toEqual([engineFile]);
  });

  test('ends the program that runs when it is cancelled, and leaves nothing', async () => {
    const pid = folder.path('pid');
    await tools({ ...workingTools, npm: waitingNpm(pid) });
    const controller = new AbortController();
    const pending = install({ signal: controller.signal });
    pending.catch(() => undefined);
    await vi.waitUntil(() => existsSync(pid), 10_000);
    controller.abort();
    await expect(pending).rejects.toMatchObject({ code: 'CANCELLED' });
    const started = Number(await readFile(pid, 'utf8'));
    expect(() => process.kill(started, 0)).toThrow('ESRCH');
    expect(await leftovers()).toEqual([]);
  });

  test('is the only one: another at the same time is refused, and one that was killed is taken over', async () => {
    const go = folder.path('go');
    await tools({ ...workingTools, npm: `if [ "$1" = ci ]; then until [ -e ${go} ] || [ ! -e ${folder.path()} ]; do /bin/sleep 0.02; done; exit 1; fi` });
    const lock = `${tensorflowFolder(home())}.lock`;
    await mkdir(dirname(lock), { recursive: true });
    await writeFile(lock, '2147483646');
    const first = install();
    first.catch(() => undefined);
    await vi.waitUntil(async () => (await readFile(lock, 'utf8').catch(() => '')).startsWith(`${process.pid} `), 10_000);
    await expect(install()).rejects.toMatchObject({ code: 'BUSY', message: expect.stringContaining(String(process.pid)) });
    await expect(removeTensorFlow(home())).rejects.toMatchObject({ code: 'BUSY' });
    await writeFile(go, '');
    await expect(first).rejects.toMatchObject({ code: 'INSTALL_FAILED' });
    expect(await leftovers()).toEqual([]);
  });
});

describe.skipIf(process.platform !== 'linux' || process.arch !== 'x64')('what npm is given', () => {
  const given = async (variant: 'cpu' | 'gpu') => {
    await tools({ ...workingTools, npm: `if [ "$1" = ci ]; then echo "$*" > ${folder.path('args')}; /bin/cp package-lock.json ${folder.path('lock')}; exit 1; fi` });
    await expect(install({ variant })).rejects.toMatchObject({ code: 'INSTALL_FAILED' });
    const { packages } = JSON.parse(await readFile(folder.path('lock'), 'utf8')) as { packages: Record<string, { integrity?: string; resolved?: string }> };
    return { args: await readFile(folder.path('args'), 'utf8'), packages };
  };

  test.each(['cpu', 'gpu'] as const)('for the %s pins every package by its checksum and no place to fetch it from, and runs no script', async (variant) => {
    const { args, packages } = await given(variant);
    expect(args).toContain('--ignore-scripts');
    const { '': root, ...others } = packages;
    for (const { integrity, resolved } of Object.values(others)) {
      expect(integrity).toMatch(/^sha512-/);
      expect(resolved).toBeUndefined();
    }
    const named = Object.values(tensorflowPackages).filter((name) => `node_modules/${name}` in packages);
    expect(named).toEqual([tensorflowPackages[variant]]);
    expect(root).toMatchObject({ dependencies: { [tensorflowPackages[variant]]: '4.22.0' } });
  });
});

describe('the addon', () => {
  test("that cannot be compiled is told of in the compiler's words", async () => {
    await tools({ 'g++': 'echo "In file included from here:"; echo "binding.cc:7: error: no such type"; exit 1' });
    await expect(compileAddon(folder.path(), tensorflowPackages.cpu, undefined)).rejects.toMatchObject({
      code: 'INSTALL_FAILED',
      message: "g++ could not compile TensorFlow.js's addon: binding.cc:7: error: no such type.",
    });
  });

  const dist = () => folder.path('node_modules', tensorflowPackages.cpu, 'dist');
  const write = async (backend: string, topK: string) => {
    await mkdir(join(dist(), 'kernels'), { recursive: true });
    await writeFile(join(dist(), 'nodejs_kernel_backend.js'), backend);
    await writeFile(join(dist(), 'kernels', 'TopK.js'), topK);
  };

  test('is called without the functions that Node 23 took away', async () => {
    await write('if ((0, util_1.isNullOrUndefined)(a) || (0, util_1.isArray)(a)) f();', 'var k = (0, util_1.isNullOrUndefined)(k) ? 1 : k;');
    await patchPackage(folder.path(), tensorflowPackages.cpu);
    expect(await readFile(join(dist(), 'nodejs_kernel_backend.js'), 'utf8')).toBe('if ((a == null) || Array.isArray(a)) f();');
    expect(await readFile(join(dist(), 'kernels', 'TopK.js'), 'utf8')).toBe('var k = (k == null) ? 1 : k;');
  });

  test('of a package that does not call them is not the one that is known', async () => {
    await write('if ((0, util_1.isNullOrUndefined)(a)) f();', '');
    await expect(patchPackage(folder.path(), tensorflowPackages.cpu)).rejects.toMatchObject({ code: 'INSTALL_FAILED', message: expect.stringContaining('isArray') });
  });
});

describe('an engine that is installed', () => {
  test('is removed whole, and what is not there cannot be', async () => {
    await pretendInstalled();
    await removeTensorFlow(home());
    expect(await leftovers()).toEqual([]);
    await expect(removeTensorFlow(home())).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('and does not work is listed with the reason', async () => {
    const place = await pretendInstalled();
    const [onnx, tensorflow] = await listEngines(home());
    expect(onnx).toMatchObject({ name: 'onnx', version: expect.stringMatching(/^ONNX Runtime \d/), problem: undefined });
    expect(tensorflow).toMatchObject({ version: 'TensorFlow 2.21.0 (@tensorflow/tfjs-node 4.22.0)', directory: place, bytes: 7, problem: expect.stringMatching(/cannot be loaded .*--force/) });
    await writeFile(join(place, engineFile), '{');
    expect((await listEngines(home()))[1]).toMatchObject({ problem: expect.stringMatching(/engine\.json cannot be read .*--force/) });
  });

  test('that is not there is not listed', async () => {
    expect((await listEngines(home())).map(({ name }) => name)).toEqual(['onnx']);
  });
});

describeWithTensorFlow('the TensorFlow that these tests installed', () => {
  const withIt = async () => {
    await mkdir(dirname(tensorflowFolder(home())), { recursive: true });
    await symlink(tensorflowFolder(tensorflowHome), tensorflowFolder(home()));
  };

  test('works, and says how large it is', async () => {
    await withIt();
    expect((await listEngines(home()))[1]).toMatchObject({
      name: 'tensorflow',
      version: expect.stringMatching(/^TensorFlow 2\.\d+\.\d+ \(@tensorflow\/tfjs-node 4\.22\.0\) on the CPU$/),
      bytes: installed!.bytes,
      problem: undefined,
    });
    expect(installed!.bytes).toBeGreaterThan(5e8);
  });

  test('is left as it is where it is asked for again, without any of the programs', async () => {
    await withIt();
    await tools({});
    expect(await install()).toEqual(installed);
  });

  test('holds neither what was downloaded nor what it was compiled from', async () => {
    const names = await readdir(tensorflowFolder(tensorflowHome));
    expect(names.sort()).toEqual(['engine.json', 'node_modules', 'package-lock.json', 'package.json', 'tensorflow']);
    expect((await readdir(join(tensorflowFolder(tensorflowHome), 'tensorflow'))).sort()).toEqual(['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2']);
  });
});
