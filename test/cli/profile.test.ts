import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { LossCurve } from '../../src/prune/curve.ts';
import type { Attention } from '../../src/encoder/settings.ts';
import { asReference, reference, triplets } from './data.ts';
import { documentOf, expectFailure, json, LLAMA, useCli } from './harness.ts';

const cli = useCli();
const profile = (data: string, ...more: string[]): Promise<Awaited<ReturnType<typeof cli.run>>> =>
  cli.run(['profile', '--model', LLAMA, '--data', data, ...asReference, ...more]);

/** The largest relative difference between two lists. */
function worst(a: readonly number[], b: readonly number[]): number {
  expect(a).toHaveLength(b.length);
  return Math.max(...a.map((x, i) => Math.abs(x - b[i]!) / Math.abs(b[i]!)));
}

describe('l3prune profile', () => {
  it.each<Attention>(['causal', 'bidirectional'])('gives the losses and cuts of PyTorch at both scales (%s)', async (attention) => {
    const data = await cli.write('data.jsonl', triplets);
    const curve = documentOf<LossCurve>(await profile(data, '--attention', attention, '--json'));
    for (const scale of ['20', '50']) {
      const wanted = reference.losses[attention][`scale_${scale}`]!;
      const { losses, small, large } = curve.scales[scale]!;
      expect({ small, large }).toEqual({ small: wanted.small, large: wanted.large });
      expect(worst(losses, wanted.losses)).toBeLessThan(2e-5);
    }
    expect(curve.layers.map(({ loss }) => loss)).toEqual(curve.scales['50']!.losses);
    expect([curve.small, curve.large]).toEqual([curve.scales['50']!.small, curve.scales['50']!.large]);
  });

  it('says in its document what it measured, on what, and at what cost', async () => {
    const data = await cli.write('data.jsonl', triplets);
    const curve = documentOf<LossCurve>(await profile(data, '--json', '--seed', '7', '--scale', '20'));
    expect(curve.settings).toEqual({
      batchSize: 4,
      batches: 3,
      maxLength: 96,
      attention: 'causal',
      pooling: 'weighted_mean',
      separator: '; ',
      scale: 20,
      seed: 7,
      order: 'file',
    });
    expect(curve.model).toMatchObject({ name: 'model', layers: 6 });
    expect(curve.data).toMatchObject({ triplets: 12, skipped: 0 });
    expect(curve.layers.map(({ layer }) => layer)).toEqual([1, 2, 3, 4, 5, 6]);
    for (const side of [curve.confidence.small, curve.confidence.large])
      expect(side.reduce((sum, [, probability]) => sum + probability, 0)).toBeCloseTo(1, 9);
    expect(Math.min(curve.tokens, curve.seconds, curve.peakBytes)).toBeGreaterThan(0);
    expect(curve.fill).toBeGreaterThan(0.5);
    expect(curve.fill).toBeLessThanOrEqual(1);
  });

  it('reads a folder of gzipped files as it reads one file', async () => {
    const lines = triplets.trimEnd().split('\n');
    await cli.write('parts/1.jsonl.gz', gzipSync(`${lines.slice(0, 5).join('\n')}\n`));
    await cli.write('parts/2.jsonl', `\uFEFF${lines.slice(5).join('\r\n')}`);
    const parts = documentOf<LossCurve>(await profile(cli.path('parts'), '--json'));
    const whole = documentOf<LossCurve>(await profile(await cli.write('data.jsonl', triplets), '--json'));
    expect(parts.scales).toEqual(whole.scales);
    expect(parts.data).toEqual(whole.data);
  });

  it('measures the first layers as if the model had no more', async () => {
    const data = await cli.write('data.jsonl', triplets);
    const curve = documentOf<LossCurve>(await profile(data, '--layers', '4', '--json'));
    const wanted = reference.losses.causal['scale_50']!.losses.slice(0, 4);
    expect(worst(curve.layers.map(({ loss }) => loss), wanted)).toBeLessThan(2e-5);
    expect([curve.small, curve.large]).toEqual([2, 4]);
  });

  it('takes no longer texts than the model reads where no length is given', async () => {
    const data = await cli.write('data.jsonl', triplets);
    const ran = await cli.run(['profile', '--model', LLAMA, '--data', data, '--batch-size', '4', '--json']);
    expect(documentOf<LossCurve>(ran).settings).toMatchObject({ maxLength: 256, batches: 3, order: 'shuffled' });
  });

  it("takes a checkpoint's own attention and pooling where none is given", async () => {
    const data = await cli.write('data.jsonl', triplets);
    await cli.run(['prune', '--model', LLAMA, '--layers', '5', '--attention', 'bidirectional', '--pooling', 'mean', '--out', 'cut']);
    const ran = await cli.run(['profile', '--model', 'cut', '--data', data, ...asReference, '--json']);
    expect(documentOf<LossCurve>(ran).settings).toMatchObject({ attention: 'bidirectional', pooling: 'mean' });
  });

  it('draws the curve for a person, with both cuts and the fingerprints of model and data', async () => {
    const { stdout, code } = await profile(await cli.write('data.jsonl', triplets));
    expect(code).toBe(0);
    expect(stdout).toMatch(/┤.*S/);
    expect(stdout).toMatch(/┤.*L/);
    expect(stdout).toContain('small (S): 2 of 6 layers');
    expect(stdout).toContain('large (L): 5 of 6 layers');
    expect(stdout).toContain('note: The small cut keeps 2 layers');
    expect(stdout).toMatch(/model model, fingerprint [0-9a-f]{64}/);
    expect(stdout).toContain('3 batches of 4 triplets at scale 50, up to 96 tokens, seed 42');
  });

  it('names the rows that it leaves out by line, and counts them', async () => {
    const rows = ['not JSON', '{"query":"","positive":"a","negative":"b"}', '[]'];
    const data = await cli.write('data.jsonl', `${rows.join('\n')}\n${triplets}`);
    const ran = await profile(data, '--json');
    expect(documentOf<LossCurve>(ran).data).toMatchObject({ triplets: 12, skipped: 3 });
    expect(ran.stderr).toContain('3 rows were left out:');
    expect(ran.stderr).toMatch(/data\.jsonl:1: is not valid JSON\n.*data\.jsonl:2: query is empty\n.*data\.jsonl:3: is not a JSON object/);
  });

  it('refuses data that is too small for two batches', async () => {
    const data = await cli.write('data.jsonl', triplets.split('\n').slice(0, 7).join('\n'));
    expectFailure(await profile(data, '--json'), 'BAD_DATA', /7 usable rows; two batches of 4 need 8/);
  });

  it('remembers what hashing the weights gave, in the data home alone', async () => {
    await profile(await cli.write('data.jsonl', triplets), '--json');
    expect(Object.keys(await json<object>(cli.path('home', 'file-hashes.json')))).toEqual([expect.stringContaining('model.safetensors')]);
  });
});
