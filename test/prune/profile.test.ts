import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { TripletSet } from '../../src/data/triplet.ts';
import type { EncoderInput } from '../../src/encoder/prompt.ts';
import { attentions } from '../../src/encoder/settings.ts';
import { openCheckpoint } from '../../src/models/checkpoint.ts';
import type { Checkpoint } from '../../src/models/types.ts';
import type { LossCurve, ProfileProgress } from '../../src/prune/curve.ts';
import { defaultProfile, profile, type ProfileRequest } from '../../src/prune/profile.ts';
import { encodeWith, engine, fixtures, readReference, tripletsOf } from '../reference.ts';

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

async function run(settings: Partial<ProfileRequest> = {}, rows = data): Promise<{ curve: LossCurve; steps: ProfileProgress[] }> {
  const steps: ProfileProgress[] = [];
  const running = profile(engine, checkpoint, rows, { ...request, ...settings });
  for (;;) {
    const step = await running.next();
    if (step.done) return { curve: step.value, steps };
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
    const strip = ({ curve }: { curve: LossCurve }) => ({ ...curve, seconds: 0, peakBytes: 0 });
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

  test('measures beside it the loss with means taken off that the batch has no part in', async () => {
    const { curve } = await run();
    const { layers: shown, small, large, scales, calibration } = curve.calibrated!;
    const expected = await calibratedLosses();
    expect(calibration).toBe('router');
    shown.forEach(({ loss }, i) => expect(Math.abs(loss / expected[i]! - 1)).toBeLessThan(2e-5));
    expect(scales['50']).toMatchObject({ small, large });
    expect(scales['20']!.losses).not.toEqual(scales['50']!.losses);
  });

  test('says so where nothing is left of the vectors when their means are taken off', async () => {
    const row = { query: 'the same', positive: 'the same', negatives: ['the same'] };
    const { curve } = await run({ batchSize: 4, batches: 3 }, { ...data, triplets: Array.from({ length: 12 }, () => row) });
    expect(curve.calibrated).toBeUndefined();
    expect(curve.warnings.join()).toContain('There is no calibrated curve');
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

/** The same by the definition, in float64: what numpy would write in a few lines. */
async function calibratedLosses(): Promise<number[]> {
  const { batchSize, maxLength, separator, scale } = request;
  const [layers, size, count] = [6, 64, 3];
  const encoded = (texts: (row: TripletSet['triplets'][number]) => EncoderInput): Promise<Float32Array> =>
    encodeWith(checkpoint, { maxLength, output: 'every' }, (encoder) => data.triplets.slice(0, count * batchSize).map((row) => encoder.prepare(texts(row))));
  const queries = await encoded(({ query, instruction }) => ({ text: query, instruction: instruction!, separator }));
  const positives = await encoded(({ positive }) => ({ text: positive }));
  const negatives = await encoded(({ negatives: [text] }) => ({ text: text! }));
  const rows = count * batchSize;
  return Array.from({ length: layers }, (_, layer) => {
    const at = (vectors: Float32Array, row: number): number[] => [...vectors.subarray((layer * rows + row) * size, (layer * rows + row + 1) * size)];
    const batch = (index: number, vectors: Float32Array): number[][] => Array.from({ length: batchSize }, (__, i) => at(vectors, index * batchSize + i));
    const losses = Array.from({ length: count }, (__, index) => {
      const others = Array.from({ length: count }, (___, other) => other).filter((other) => (index === 0 ? other !== 0 : other < index));
      const documentsOf = (other: number): number[][] => [...batch(other, positives), ...batch(other, negatives)];
      const centred = (of: (other: number) => number[][]): number[][] => {
        const mean = average(others.flatMap(of));
        return of(index).map((vector) => unit(vector.map((x, i) => x - mean[i]!)));
      };
      const documents = centred(documentsOf);
      const each = centred((other) => batch(other, queries)).map((query, row) => {
        const scores = documents.map((document) => scale * document.reduce((sum, x, i) => sum + x * query[i]!, 0));
        return Math.log(scores.reduce((sum, score) => sum + Math.exp(score), 0)) - scores[row]!;
      });
      return each.reduce((sum, loss) => sum + loss, 0) / batchSize;
    });
    return losses.reduce((sum, loss) => sum + loss, 0) / count;
  });
}

function average(vectors: readonly number[][]): number[] {
  return vectors[0]!.map((_, i) => vectors.reduce((sum, vector) => sum + vector[i]!, 0) / vectors.length);
}

function unit(vector: readonly number[]): number[] {
  const length = Math.hypot(...vector);
  return vector.map((x) => x / length);
}
