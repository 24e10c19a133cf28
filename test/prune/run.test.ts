import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { listCheckpoints } from '../../src/prune/checkpoints.ts';
import type { JobProgress, PruneJob, PruneJobResult } from '../../src/prune/job.ts';
import { readManifest } from '../../src/prune/manifest.ts';
import { runPruneJob } from '../../src/prune/run.ts';
import { LLAMA, useFolder } from '../models/folder.ts';
import { readReference, tripletsOf } from '../reference.ts';

const folder = useFolder();
const settings = { batchSize: 4, batches: 3, maxLength: 96, order: 'file' } as const;

async function run(job: Partial<PruneJob>, signal = new AbortController().signal): Promise<PruneJobResult & { steps: JobProgress[] }> {
  const path = folder.path('triplets.jsonl');
  await writeFile(path, tripletsOf(readReference('llama')).map((row) => `${JSON.stringify(row)}\n`).join(''));
  const steps: JobProgress[] = [];
  const whole: PruneJob = { model: LLAMA, data: { kind: 'triplets', path }, depths: [{ kind: 'small' }, { kind: 'large' }], settings, ...job };
  const running = runPruneJob(whole, { home: folder.path('home'), signal, threads: 2 });
  for (;;) {
    const step = await running.next();
    if (step.done) return { ...step.value, steps };
    steps.push(step.value);
  }
}

describe('runPruneJob', () => {
  test('writes a checkpoint for every depth, and the list shows them', async () => {
    const { curve, checkpoints, steps } = await run({});
    expect(checkpoints.map(({ layersKept }) => layersKept)).toEqual([curve.small, curve.large]);
    const listed = await listCheckpoints(join(folder.path('home'), 'checkpoints'));
    expect(listed.damaged).toEqual([]);
    expect(listed.checkpoints.map(({ path }) => path).sort()).toEqual(checkpoints.map(({ path }) => path).sort());
    expect([...new Set(steps.map(({ kind }) => kind))]).toEqual(expect.arrayContaining(['profile', 'calibrate', 'write']));
  });

  test('lists cuts by count and by percentage too, and makes one depth only once', async () => {
    const { checkpoints } = await run({
      depths: [{ kind: 'layers', layers: 4 }, { kind: 'percent', percent: 50 }, { kind: 'layers', layers: 4 }],
    });
    expect(checkpoints.map(({ layersKept }) => layersKept)).toEqual([4, 3]);
    const listed = await listCheckpoints(join(folder.path('home'), 'checkpoints'));
    expect(listed.checkpoints).toHaveLength(2);
  });

  test('writes into the checkpoint what the curve was measured with', async () => {
    const { checkpoints } = await run({ settings: { ...settings, attention: 'bidirectional', pooling: 'mean' }, depths: [{ kind: 'large' }] });
    const manifest = (await readManifest(checkpoints[0]!.path))!;
    expect(manifest.encoder).toMatchObject({ attention: 'bidirectional', pooling: 'mean', maxLength: 256 });
    expect(manifest.calibration).toEqual({ kind: 'mean', components: 1, rows: 12 });
  });

  test('refuses a depth that the model does not have before anything is measured', async () => {
    const steps = run({ depths: [{ kind: 'layers', layers: 7 }] });
    await expect(steps).rejects.toMatchObject({ code: 'USAGE' });
  });

  test('is cancelled between two runs and leaves no checkpoint', async () => {
    const cancel = new AbortController();
    cancel.abort();
    await expect(run({}, cancel.signal)).rejects.toMatchObject({ code: 'CANCELLED' });
    expect((await listCheckpoints(join(folder.path('home'), 'checkpoints'))).checkpoints).toEqual([]);
  });
});
