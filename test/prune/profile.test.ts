import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { TripletSet } from '../../src/data/triplet.ts';
import { attentions } from '../../src/encoder/settings.ts';
import { openCheckpoint } from '../../src/models/checkpoint.ts';
import type { Checkpoint } from '../../src/models/types.ts';
import type { ProfileProgress } from '../../src/prune/curve.ts';
import { defaultProfile, profile, type Profile, type ProfileRequest } from '../../src/prune/profile.ts';
import { engine, fixtures, readReference, tripletsOf } from '../reference.ts';

const reference = readReference('llama');
const data: TripletSet = { triplets: tripletsOf(reference), rejected: [], fingerprint: 'of the reference' };
const request: ProfileRequest = {
  ...defaultProfile,
  batchSize: reference.batch_size,
  batches: 3,
  maxLength: reference.max_length,
  order: 'file',
};
let checkpoint: Checkpoint;
beforeAll(async () => {
  checkpoint = await openCheckpoint(join(fixtures, 'llama', 'model'));
});

async function run(settings: Partial<ProfileRequest> = {}, signal?: AbortSignal): Promise<Profile & { steps: ProfileProgress[] }> {
  const steps: ProfileProgress[] = [];
  const running = profile(engine, checkpoint, data, { ...request, ...settings }, signal);
  for (;;) {
    const step = await running.next();
    if (step.done) return { ...step.value, steps };
    steps.push(step.value);
  }
}

describe('profile', () => {
  test.each(attentions)('agrees with PyTorch on the losses and the cuts at both scales (%s)', async (attention) => {
    const { curve } = await run({ attention });
    for (const scale of ['20', '50']) {
      const theirs = reference.losses[attention][`scale_${scale}`]!;
      const ours = curve.scales[scale]!;
      expect({ small: ours.small, large: ours.large }).toEqual({ small: theirs.small, large: theirs.large });
      ours.losses.forEach((loss, i) => expect(Math.abs(loss / theirs.losses[i]! - 1)).toBeLessThan(2e-5));
    }
  });

  test('reports the scale that was asked for, and the standard error of its batches', async () => {
    const { curve } = await run({ scale: 20 });
    expect(curve.layers.map(({ loss }) => loss)).toEqual(curve.scales['20']!.losses);
    expect(curve.layers.every(({ stderr }) => stderr > 0)).toBe(true);
  });

  test('gives the losses of a model that has fewer layers, when it is asked to measure fewer', async () => {
    const whole = (await run()).curve.layers.slice(0, 4);
    const part = (await run({ layers: 4 })).curve.layers;
    part.forEach(({ loss }, i) => expect(Math.abs(loss / whole[i]!.loss - 1)).toBeLessThan(1e-6));
    expect(part).toHaveLength(4);
  });

  test('gives the same numbers again', async () => {
    const strip = ({ curve }: Profile) => ({ ...curve, seconds: 0, peakBytes: 0 });
    expect(strip(await run({ order: 'shuffled' }))).toEqual(strip(await run({ order: 'shuffled' })));
  });

  test('reports progress that never runs backwards', async () => {
    const { steps, curve } = await run();
    for (const [before, after] of steps.slice(1).map((step, i) => [steps[i]!, step] as const)) {
      expect(after.textsDone).toBeGreaterThan(before.textsDone);
      expect(after.secondsLeft!).toBeLessThanOrEqual(before.secondsLeft!);
    }
    expect(steps.at(-1)).toMatchObject({ textsDone: 36, texts: 36, tokensDone: curve.tokens });
  });

  test('keeps the mean vectors, which taken off leave a mean of zero', async () => {
    const { queryMeans, documentMeans } = await run();
    expect(queryMeans).toHaveLength(6 * 64);
    expect(documentMeans).toHaveLength(6 * 64);
    expect(queryMeans.some((x, i) => x !== documentMeans[i])).toBe(true);
  });

  test('stops between two runs when it is cancelled', async () => {
    const cancel = new AbortController();
    const running = profile(engine, checkpoint, data, request, cancel.signal);
    await running.next();
    cancel.abort();
    await expect(running.next()).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  test('warns of a cut that keeps fewer than 3 layers', async () => {
    const { curve } = await run();
    expect(curve.warnings).toEqual(['The small cut keeps 2 layers: fewer than 3 rarely make a useful encoder.']);
  });

  test('refuses data for fewer than two batches', async () => {
    await expect(run({ batchSize: 12 })).rejects.toMatchObject({ code: 'BAD_DATA' });
  });
});
