import { watch } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { listCheckpoints } from '../../src/prune/checkpoints.ts';
import { openCheckpoint } from '../../src/models/checkpoint.ts';
import { Random } from '../../src/random.ts';
import { documentOf, expectFailure, LLAMA, names, snapshot, useCli } from './harness.ts';
import { enlarge } from './weights.ts';

const cli = useCli();
const layers = 24;
const isLong = process.env['L3PRUNE_LONG'] === '1';
/** What a cut does in `runs`, first to last, as a watcher sees it. */
const stages = ['.out.tmp-', '.model.safetensors.tmp-', '/model.safetensors', 'tokenizer.json', 'config.json', 'l3prune.json', 'modules.json', '.out.old-'];
const moments = isLong ? 8 * stages.length : stages.length;
const cut = (...more: string[]): string[] => ['prune', '--model', 'large', '--layers', '20', '--out', 'runs/out', '--json', ...more];

beforeEach(async () => {
  await cli.model('large', (folder) => enlarge(folder, { layers, width: 4096 }));
  // The fingerprint, which hashes the weights, is remembered: a cut then spends its time on writing.
  await cli.run(['prune', '--model', 'large', '--layers', '1', '--out', 'first']);
});

/** Starts a cut and kills it so many changes after a stage has begun: a moment of the writing, not of a clock. */
async function killAt(stage: string, changes: number, args: readonly string[]): Promise<void> {
  const { child, ended } = cli.start(args);
  let seen = -1;
  const watcher = watch(cli.path('runs'), { recursive: true }, (_, name) => {
    if (seen >= 0 || name?.includes(stage)) seen++;
    if (seen >= changes) child.kill('SIGKILL');
  });
  await ended;
  watcher.close();
}

/** The checkpoints that a person or the extension would see, each opened as if to use it. */
async function visible(): Promise<number[]> {
  const { checkpoints, damaged } = await listCheckpoints(cli.path('runs'));
  expect(damaged).toEqual([]);
  return Promise.all(checkpoints.map(async ({ path }) => (await openCheckpoint(path)).config.numHiddenLayers));
}

describe('a cut that is killed', { timeout: isLong ? 900_000 : 120_000 }, () => {
  it(`at any of ${moments} moments leaves a whole checkpoint or none, and what the next run cleans up`, async () => {
    await cli.write('runs/readme.txt', 'mine');
    const random = Random.fromSeed(7);
    for (let moment = 0; moment < moments; moment++) {
      await killAt(stages[moment % stages.length]!, random.integer(4), cut('--force'));
      expect([[], [20]]).toContainEqual(await visible());
      for (const name of await names(cli.path('runs'))) expect(name).toMatch(/^(out|readme\.txt|\.out\.(tmp|old)-\d+-[0-9a-f]{8})$/);
    }
    documentOf(await cli.run(cut('--force')));
    expect(await names(cli.path('runs'))).toEqual(['out', 'readme.txt']);
  });

  it('while it replaces another leaves the old one or the new one, and the next run has neither lost', async () => {
    const random = Random.fromSeed(11);
    for (let moment = 0; moment < moments; moment++) {
      documentOf(await cli.run(['prune', '--model', LLAMA, '--layers', '2', '--out', 'runs/out', '--force', '--json']));
      await killAt(stages[moment % stages.length]!, random.integer(4), cut('--force'));
      const found = await visible();
      expect([[], [2], [20]]).toContainEqual(found);
      // Killed between the two renames, the old folder waits beside; whoever writes there next puts it back.
      if (found.length > 0) continue;
      expectFailure(await cli.run(cut()), 'EXISTS');
      expect(await visible()).toEqual([2]);
    }
  });
});

describe('a disk that refuses to be written', () => {
  // Nobody, not even root, makes a folder there.
  it.runIf(process.platform === 'linux')('is one sentence where it allows no folder', async () => {
    const ran = await cli.run(['prune', '--model', 'large', '--layers', '20', '--out', '/sys/kernel/out']);
    expectFailure(ran, 'WRITE_FAILED', /\/sys\/kernel\/out cannot be written: (permission denied|the disk can only be read)/);
  });

  it.each([
    ['the weights', 256],
    ['the first bytes', 0],
  ])('at %s is one sentence, and nothing is left', async (_, kilobytes) => {
    const before = await names(cli.path());
    const ran = await cli.run(cut(), { shell: `ulimit -f ${kilobytes}; exec "$@"` });
    expectFailure(ran, 'WRITE_FAILED', /out cannot be written: the file would be larger than it may be here/);
    expect(await names(cli.path())).toEqual(before);
  });

  it('leaves the old checkpoint as it was', async () => {
    documentOf(await cli.run(['prune', '--model', LLAMA, '--layers', '2', '--out', 'runs/out', '--json']));
    const before = await snapshot(cli.path('runs'));
    expectFailure(await cli.run(cut('--force'), { shell: 'ulimit -f 256; exec "$@"' }), 'WRITE_FAILED');
    expect(await snapshot(cli.path('runs'))).toEqual(before);
  });
});
