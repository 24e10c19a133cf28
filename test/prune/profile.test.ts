import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { TripletSet } from '../../src/data/triplet.ts';
import { attentions } from '../../src/encoder/settings.ts';
import { openCheckpoint } from '../../src/models/checkpoint.ts';
import type { Checkpoint } from '../../src/models/types.ts';
import type { ProfileProgress } from '../../src/prune/curve.ts';
import { defaultProfile, profile, type Profile, type ProfileOptions, type ProfileRequest } from '../../src/prune/profile.ts';
import { encodeWith, engine, fixtures, readReference, tripletsOf, worstDifference } from '../reference.ts';

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

async function run(settings: Partial<ProfileRequest> = {}, options: ProfileOptions = {}, rows = data): Promise<Profile & { steps: ProfileProgress[] }> {
  const steps: ProfileProgress[] = [];
  const running = profile(engine, checkpoint, rows, { ...request, ...settings }, options);
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

  test('takes the mean vectors of queries as they will be asked, and of documents, without moving the curve', async () => {
    const { means, curve } = await run({}, { asked: { separator: ' ' } });
    const bare = await encodeWith(checkpoint, { maxLength: request.maxLength, output: 'every' }, (encoder) =>
      data.triplets.map(({ query }) => encoder.prepare({ text: query })),
    );
    const rows = data.triplets.length;
    const mean = Array.from({ length: 6 * 64 }, (_, at) => {
      const [layer, i] = [Math.floor(at / 64), at % 64];
      return data.triplets.reduce((sum, _, row) => sum + bare[(layer * rows + row) * 64 + i]!, 0) / rows;
    });
    expect(worstDifference(means!.queries, Float32Array.from(mean), 64)).toBeLessThan(1e-5);
    expect(means!.documents).toHaveLength(6 * 64);
    const without = await run();
    expect(without.means).toBeUndefined();
    curve.layers.forEach(({ loss }, i) => expect(loss).toBeCloseTo(without.curve.layers[i]!.loss, 4));
  });

  test('encodes no query twice where it will be asked as the data has it', async () => {
    const instruction = 'Given a question, retrieve passages that answer the question';
    const rows = { ...data, triplets: data.triplets.map((row) => ({ ...row, instruction })) };
    const same = await run({}, { asked: { instruction, separator: request.separator } }, rows);
    expect(same.steps.at(-1)).toMatchObject({ textsDone: 36, texts: 36 });
    const apart = await run({}, { asked: { separator: ' ' } }, rows);
    expect(apart.steps.at(-1)).toMatchObject({ textsDone: 48, texts: 48 });
    expect(worstDifference(same.means!.documents, apart.means!.documents, 64)).toBeLessThan(1e-5);
  });

  test('stops between two runs when it is cancelled', async () => {
    const cancel = new AbortController();
    const running = profile(engine, checkpoint, data, request, { signal: cancel.signal });
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
