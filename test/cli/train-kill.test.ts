import { watch } from 'node:fs';
import { rm } from 'node:fs/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import type { TrainResult } from '../../src/train/job.ts';
import { Random } from '../../src/random.ts';
import { triplets } from './data.ts';
import { documentOf, expectFailure, names, snapshot, useCli, type Ran } from './harness.ts';
import { learnedIn, said, stepsOf, training } from './training.ts';

const cli = useCli();
const isLong = process.env['L3PRUNE_LONG'] === '1';
/** What a training does to its folder, first to last, as a watcher sees it. */
const stages = ['lock', 'run.json', 'state-0', 'metrics.jsonl', 'state-2', 'negatives-2-6', 'state.json', 'best-', 'state-6', '.out.tmp-', 'model.safetensors', 'l3prune.json', '.out.old-'];
const moments = isLong ? 8 * stages.length : stages.length;
const args = (out: string, ...more: string[]): string[] => training('--out', out, '--save-every', '2', '--eval', 'data.jsonl', '--eval-every', '3', '--model-negatives-after', '2', ...more);

/** What a run that nobody stopped gives. */
async function reference() {
  await cli.run(args('whole'));
  return { steps: await stepsOf(cli.path('whole')), learned: await learnedIn(cli.path('whole')) };
}

async function expectAsReference(out: string, { steps, learned }: Awaited<ReturnType<typeof reference>>): Promise<void> {
  expect(await stepsOf(cli.path(out))).toEqual(steps);
  const found = await learnedIn(cli.path(out));
  // Not toEqual, which would print the weights.
  expect(found.weights === learned.weights && found.adapter === learned.adapter).toBe(true);
}

/** Starts a training and kills it so many changes after a stage has begun: a moment of its writing, not of a clock. */
async function killAt(stage: string, changes: number, ...more: string[]): Promise<Ran> {
  const { child, ended } = cli.start(args('runs/out', '--resume', ...more));
  let seen = -1;
  const watcher = watch(cli.path('runs'), { recursive: true }, (_, name) => {
    if (seen >= 0 || name?.includes(stage)) seen++;
    if (seen >= changes) child.kill('SIGKILL');
  });
  const ran = await ended;
  watcher.close();
  return ran;
}

/** Starts a training, waits until so many steps are written, and lets `stop` end it. */
async function stopAfter(steps: number, stop: NodeJS.Signals, ...more: string[]): Promise<Ran> {
  const run = cli.start(args('out', ...more));
  await said(run, 'Training out');
  while ((await stepsOf(cli.path('out')).catch(() => [])).length < steps) await new Promise((resolve) => setImmediate(resolve));
  run.child.kill(stop);
  return run.ended;
}

beforeEach(async () => {
  await cli.write('data.jsonl', triplets);
});

describe('a training that is stopped', { timeout: isLong ? 1_800_000 : 300_000 }, () => {
  it(`by kill -9 at any of ${moments} moments goes on to the very numbers of one that was not`, async () => {
    const whole = await reference();
    await cli.write('runs/readme.txt', 'mine');
    const random = Random.fromSeed(5);
    let killed = 0;
    for (let moment = 0; moment < moments; moment++) {
      const { code, stderr } = await killAt(stages[moment % stages.length]!, random.integer(4));
      if (code !== 0) {
        killed++;
        expect(stderr).not.toMatch(/^l3prune: /m);
        continue;
      }
      await expectAsReference('runs/out', whole);
      await rm(cli.path('runs', 'out'), { recursive: true });
    }
    expect(killed).toBeGreaterThan(moments / 2);
    expect(await cli.run(args('runs/out', '--resume'))).toMatchObject({ code: 0 });
    await expectAsReference('runs/out', whole);
    expect(await names(cli.path('runs'))).toEqual(['out', 'readme.txt']);
    expect(await names(cli.path('runs', 'out'))).not.toContain('training');
  });

  it('by Ctrl-C saves the step that it has done, says how to go on, and goes on to the same numbers', async () => {
    const whole = await reference();
    const ran = await stopAfter(1, 'SIGINT');
    expectFailure(ran, 'CANCELLED', /Cancelled after step \d of 6, which is saved: the same command with --resume goes on from there/);
    const step = Number(/after step (\d)/.exec(ran.stderr)![1]);
    expect(await names(cli.path('out', 'training'))).toContain(`state-${step}.safetensors`);
    expect((await cli.run(args('out', '--resume'))).stderr).toContain('Going on with out');
    await expectAsReference('out', whole);
  });

  it('by kill -9 before its first step goes on from the adapter that it was begun with, and asks for it where it has not been kept', async () => {
    await cli.run(training('--out', 'first'));
    const from = ['--adapter', 'first/adapter', '--seed', '7'];
    expect(await cli.run(args('whole', ...from))).toMatchObject({ code: 0 });
    await cli.write('runs/readme.txt', 'mine');
    await killAt('state.json', 2, ...from);
    const isKept = (await names(cli.path('runs', 'out', 'training'))).includes('state.json');
    const ran = await cli.run(args('runs/out', '--seed', '7', '--resume'));
    if (isKept) expect(ran).toMatchObject({ code: 0 });
    else {
      expectFailure(ran, 'OTHER_RUN', /begun from an adapter that it has not kept yet: name it by --adapter/);
      expect(await cli.run(args('runs/out', '--resume', ...from))).toMatchObject({ code: 0 });
    }
    await expectAsReference('runs/out', { steps: await stepsOf(cli.path('whole')), learned: await learnedIn(cli.path('whole')) });
  });

  it('by a full disk while it saves its state has lost nothing', async () => {
    const whole = await reference();
    await stopAfter(3, 'SIGKILL');
    const before = await names(cli.path('out', 'training'));
    const state = before.find((name) => name.startsWith('state-'))!;
    const full = await cli.run(args('out', '--resume'), { shell: 'ulimit -f 16; exec "$@"' });
    expectFailure(full, 'WRITE_FAILED', /cannot be written: the file would be larger than it may be here/);
    expect(await names(cli.path('out', 'training'))).toContain(state);
    expect(await cli.run(args('out', '--resume'))).toMatchObject({ code: 0 });
    await expectAsReference('out', whole);
  });

  it('by a full disk while it writes its checkpoint has lost nothing, nor has the checkpoint that was there', async () => {
    const whole = await reference();
    await cli.run(training('--steps', '1'));
    const old = (await snapshot(cli.path('out')))[cli.path('out', 'model.safetensors')];
    const full = await cli.run(args('out', '--force'), { shell: 'ulimit -f 256; exec "$@"' });
    expectFailure(full, 'WRITE_FAILED', /out cannot be written: the file would be larger than it may be here/);
    expect((await snapshot(cli.path('out')))[cli.path('out', 'model.safetensors')] === old).toBe(true);
    expect(await names(cli.path())).toEqual(['data.jsonl', 'home', 'out', 'whole']);
    const { checkpoints } = documentOf<TrainResult>(await cli.run(args('out', '--resume', '--json')));
    expect(checkpoints).toMatchObject([{ steps: 6 }]);
    await expectAsReference('out', whole);
  });
});
