import { watch } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { listCheckpoints } from '../../src/prune/checkpoints.ts';
import { openCheckpoint } from '../../src/models/checkpoint.ts';
import { Random } from '../../src/random.ts';
import { documentOf, expectFailure, LLAMA, names, snapshot, useCli } from './harness.ts';
import { enlarge } from './weights.ts';

const cli = useCli();
const layers = 24;
const moments = process.env['L3PRUNE_LONG'] === '1' ? 60 : 6;
const cut = (...more: string[]): string[] => ['prune', '--model', 'large', '--layers', '20', '--out', 'runs/out', '--json', ...more];

beforeEach(async () => {
  await cli.model('large', (folder) => enlarge(folder, { layers, width: 4096 }));
  // The fingerprint, which hashes the weights, is remembered: a cut then spends its time on writing.
  await cli.run(['prune', '--model', 'large', '--layers', '1', '--out', 'first']);
});

/** Starts a cut and kills it when `runs` has changed so many times: a moment of the writing, not of a clock. */
async function killAfter(changes: number, args: readonly string[]): Promise<void> {
  const { child, ended } = cli.start(args);
  let seen = 0;
  const watcher = watch(cli.path('runs'), { recursive: true }, () => {
    if (++seen >= changes) child.kill('SIGKILL');
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

describe('a cut that is killed', () => {
  it(`at any of ${moments} moments leaves a whole checkpoint or none, and what the next run cleans up`, async () => {
    await cli.write('runs/readme.txt', 'mine');
    const random = Random.fromSeed(7);
    for (let moment = 0; moment < moments; moment++) {
      await killAfter(1 + random.integer(30), cut('--force'));
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
      await killAfter(1 + random.integer(40), cut('--force'));
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
