import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { engineFile, tensorflowFolder } from '../../src/engine/tensorflow/location.ts';
import { describeWithTensorFlow, tensorflowHome } from '../engine/tensorflow-engine.ts';
import { waitingNpm, workingTools, writeTools } from '../engine/tools.ts';
import { documentOf, expectFailure, linesOf, LLAMA, names, useCli, type Started } from './harness.ts';
import { within } from '../worker/harness.ts';

const cli = useCli();

/** Engines as `engine list --json` gives them. */
interface Listed {
  readonly engines: ReadonlyArray<{ readonly name: string; readonly problem?: string }>;
}

describe('l3prune engine', () => {
  test('lists ONNX Runtime, which works, where nothing was installed', async () => {
    const { engines } = documentOf<Listed>(await cli.run(['engine', 'list', '--json']));
    expect(engines).toMatchObject([{ name: 'onnx' }]);
    expect(engines[0]!.problem).toBeUndefined();
  });

  test('says so where there is nothing to remove', async () => {
    expectFailure(await cli.run(['engine', 'remove']), 'NOT_FOUND', /no TensorFlow engine/);
  });

  test.each([[['engine', 'install']], [['engine', 'install', 'pytorch']], [['engine', 'remove', 'onnx']], [['engine', 'update']]])('%j makes no sense', async (args) => {
    expectFailure(await cli.run(args), 'USAGE');
  });

  test.each(['embed', 'profile', 'prune', 'eval'])('%s takes an engine that there is, and says how to install one that is not there', async (command) => {
    expectFailure(await cli.run([command, '--engine', 'pytorch']), 'USAGE', /auto, onnx, tensorflow/);
    const data = await cli.write('t.jsonl', `${JSON.stringify({ query: 'a', positive: 'b', negative: 'c' })}\n`.repeat(8));
    const args = { embed: [], profile: ['--data', data], prune: ['--data', data, '--small', '--out', cli.path('out')], eval: ['--data', data] }[command]!;
    expectFailure(await cli.run([command, '--model', LLAMA, ...args, '--engine', 'tensorflow']), 'ENGINE', /l3prune engine install tensorflow/);
  });
});

// Elsewhere the package's own installer runs, by the real npm.
describe.skipIf(process.platform !== 'linux' || process.arch !== 'x64')('an installation that is ended', () => {
  const engines = () => names(dirname(tensorflowFolder(cli.path('home'))));

  /** Starts one whose npm never ends, and waits until that runs. */
  async function startInstalling(): Promise<{ running: Started; npm: number }> {
    const pidFile = cli.path('npm.pid');
    await rm(cli.path('bin'), { recursive: true, force: true });
    await rm(pidFile, { force: true });
    await writeTools(cli.path('bin'), { ...workingTools, npm: waitingNpm(pidFile) });
    const running = cli.start(['engine', 'install', 'tensorflow'], { env: { PATH: cli.path('bin') } });
    await vi.waitUntil(() => existsSync(pidFile), 20_000);
    return { running, npm: Number(await readFile(pidFile, 'utf8')) };
  }

  test('by Ctrl-C is gone within two seconds, with its npm and whatever it had written', async () => {
    const { running, npm } = await startInstalling();
    running.child.kill('SIGINT');
    expectFailure(await within(2000, running.ended), 'CANCELLED');
    expect(() => process.kill(npm, 0)).toThrow('ESRCH');
    expect(await engines()).toEqual([]);
  });

  test('by kill -9 leaves no half engine, and the next one begins anew without what it left', async () => {
    const { running, npm } = await startInstalling();
    running.child.kill('SIGKILL');
    process.kill(npm);
    await running.ended;
    expect(existsSync(tensorflowFolder(cli.path('home')))).toBe(false);
    expect(documentOf<Listed>(await cli.run(['engine', 'list', '--json'])).engines).toHaveLength(1);
    const left = await engines();

    const next = await startInstalling();
    expect((await engines()).filter((name) => left.includes(name))).toEqual(['tensorflow.lock']);
    next.running.child.kill('SIGINT');
    expectFailure(await next.running.ended, 'CANCELLED');
    expect(await engines()).toEqual([]);
  });
});

describeWithTensorFlow('with TensorFlow', () => {
  const withIt = async () => {
    const place = tensorflowFolder(cli.path('home'));
    await mkdir(dirname(place), { recursive: true });
    await symlink(tensorflowFolder(tensorflowHome), place);
  };

  test('install leaves alone what works, list shows it, and remove takes it away', async () => {
    await withIt();
    expect(documentOf(await cli.run(['engine', 'install', 'tensorflow', '--json']))).toMatchObject({ name: 'tensorflow', variant: 'cpu' });
    const { stdout } = await cli.run(['engine', 'list']);
    expect(stdout).toMatch(/^tensorflow +TensorFlow 2\.\S+ \(@tensorflow\/tfjs-node 4\.22\.0\) on the CPU +\S+ GB +yes$/m);
    expect((await cli.run(['engine', 'remove', 'tensorflow'])).code).toBe(0);
    expect(documentOf<Listed>(await cli.run(['engine', 'list', '--json'])).engines).toHaveLength(1);
    expect(await readdir(tensorflowFolder(tensorflowHome))).toContain(engineFile);
  });

  test('embed gives the vectors that ONNX Runtime gives', async () => {
    await withIt();
    const embed = async (engine: string) =>
      linesOf<{ embedding: number[] }>(await cli.run(['embed', '--model', LLAMA, '--engine', engine, '--threads', '2'], { input: 'read a file\nthe sum of a list\n' }));
    const [ours, theirs] = [await embed('onnx'), await embed('tensorflow')];
    for (const [i, { embedding }] of ours.entries()) {
      const difference = Math.hypot(...embedding.map((x, j) => x - theirs[i]!.embedding[j]!)) / Math.hypot(...embedding);
      expect(difference).toBeLessThan(1e-4);
    }
  });

  test('profile gives the losses that ONNX Runtime gives', async () => {
    await withIt();
    const rows = Array.from({ length: 16 }, (_, i) => `${JSON.stringify({ query: `question ${i}`, positive: `answer ${i} to it`, negative: `what ${i} is not` })}\n`);
    const data = await cli.write('t.jsonl', rows.join(''));
    const profile = async (engine: string) =>
      documentOf<{ layers: { loss: number }[] }>(await cli.run(['profile', '--model', LLAMA, '--data', data, '--batch-size', '8', '--batches', '2', '--engine', engine, '--json']));
    const [ours, theirs] = [await profile('onnx'), await profile('tensorflow')];
    expect(theirs.layers).toHaveLength(ours.layers.length);
    ours.layers.forEach(({ loss }, i) => expect(Math.abs(theirs.layers[i]!.loss / loss - 1)).toBeLessThan(1e-4));
  });
});
