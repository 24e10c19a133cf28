import { beforeEach, describe, expect, it } from 'vitest';
import type { Manifest } from '../../src/prune/manifest.ts';
import type { TrainResult } from '../../src/train/job.ts';
import { learningRate } from '../../src/train/schedule.ts';
import { corpus, queries, triplets } from './data.ts';
import { documentOf, expectFailure, json, linesOf, LLAMA, names, useCli } from './harness.ts';
import { learnedIn, stepsOf, training } from './training.ts';

const cli = useCli();
const train = (...more: string[]) => cli.run(training(...more));
const manifestOf = (...folder: string[]): Promise<Manifest> => json(cli.path(...folder, 'l3prune.json'));
const embeddingOf = async (model: string, ...more: string[]): Promise<number[]> =>
  linesOf<{ embedding: number[] }>(await cli.run(['embed', '--model', model, '--threads', '1', ...more], { input: 'find the largest of a list\n' }))[0]!.embedding;
const worst = (a: number[], b: number[]): number => Math.max(...a.map((x, i) => Math.abs(x - b[i]!)));

beforeEach(async () => {
  await cli.write('data.jsonl', triplets);
});

describe('l3prune train', () => {
  it('leaves a checkpoint with its metrics, its adapter and what it was in its manifest', async () => {
    const { checkpoints } = documentOf<TrainResult>(await train('--json'));
    expect(checkpoints).toMatchObject([{ path: cli.path('out'), layersKept: 2, layersOfBase: 6, steps: 6, step: 6, evaluation: null }]);
    const steps = await stepsOf(cli.path('out'));
    expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    // Without --warmup a short run warms up over 30 % of its steps.
    expect(steps.map(({ lr }) => lr)).toEqual(steps.map((_, t) => learningRate({ lr: 1e-3, warmup: 1, steps: 6 }, t)));
    const manifest = await manifestOf('out');
    expect(manifest).toMatchObject({ layers: 2, adapter: { merged: true }, calibration: null, curve: null });
    expect(manifest.history).toMatchObject([{ step: 'train', layers: 2, depth: { kind: 'layers', layers: 2 }, training: { steps: 6, data: { rows: 12 } } }]);
    expect(await names(cli.path('out'))).toEqual(expect.arrayContaining(['adapter', 'config.json', 'metrics.jsonl', 'model.safetensors', 'README.md']));
    expect(await names(cli.path('out'))).not.toContain('training');
  });

  it('changes what the model makes of a text, the same with the adapter in the weights and beside them', async () => {
    await train();
    await train('--out', 'apart', '--no-merge');
    expect((await manifestOf('apart')).adapter).toEqual({ merged: false });
    const [merged, apart, base] = [await embeddingOf('out'), await embeddingOf('apart'), await embeddingOf(LLAMA, '--layer', '2')];
    expect(worst(merged, apart)).toBeLessThan(1e-5);
    expect(worst(merged, base)).toBeGreaterThan(1e-3);
    // Of a model that nobody has cut, as deep as the adapter is.
    expect(worst(merged, await embeddingOf(LLAMA, '--adapter', 'out/adapter'))).toBeLessThan(1e-5);
  });

  it('gives the same numbers and weights again with the same seed, others with another', async () => {
    await train();
    await train('--out', 'again');
    await train('--out', 'other', '--seed', '7');
    expect(await stepsOf(cli.path('again'))).toEqual(await stepsOf(cli.path('out')));
    expect(await learnedIn(cli.path('again'))).toEqual(await learnedIn(cli.path('out')));
    expect(await stepsOf(cli.path('other'))).not.toEqual(await stepsOf(cli.path('out')));
  });

  it.each(['8', '4'])('trains beside weights in %s bits, merges into the weights as they were, and says so', async (bits) => {
    await train('--base-bits', bits);
    await train('--out', 'apart', '--no-merge', '--base-bits', bits);
    await train('--out', 'plain');
    const [last] = (await manifestOf('out')).history;
    expect(last).toMatchObject({ step: 'train', training: { settings: { baseBits: Number(bits) } } });
    expect(await names(cli.path('out'))).not.toContain('training');
    expect(worst(await embeddingOf('out'), await embeddingOf('apart'))).toBeLessThan(1e-5);
    const [inBits, plain] = [await stepsOf(cli.path('out')), await stepsOf(cli.path('plain'))];
    expect(inBits[0]!.loss).not.toBe(plain[0]!.loss);
    expect(Math.abs(inBits.at(-1)!.loss / plain.at(-1)!.loss - 1)).toBeLessThan(0.5);
  });

  it('trains in products of whole numbers, also beside weights in few bits, and says so', async () => {
    await train();
    await train('--out', 'rounded', '--precision', 'int8');
    await train('--out', 'both', '--precision', 'int8', '--base-bits', '8');
    const [plain, rounded, both] = [await stepsOf(cli.path('out')), await stepsOf(cli.path('rounded')), await stepsOf(cli.path('both'))];
    expect(rounded[0]!.loss).not.toBe(plain[0]!.loss);
    for (const steps of [rounded, both]) expect(Math.abs(steps.at(-1)!.loss / plain.at(-1)!.loss - 1)).toBeLessThan(0.5);
    const [last] = (await manifestOf('rounded')).history;
    expect(last).toMatchObject({ step: 'train', training: { settings: { precision: 'int8' } } });
  });

  it('refuses other numbers of bits', async () => {
    expectFailure(await train('--base-bits', '5'), 'USAGE', /--base-bits .* 8 or 4/);
  });

  it('trains small and large from one profile, each into a folder of its own', async () => {
    const { checkpoints } = documentOf<TrainResult>(await train('--layers', 'small,large', '--steps', '2', '--json'));
    expect(checkpoints.map(({ name }) => name)).toEqual(['small', 'large']);
    const [small, large] = [await manifestOf('out', 'small'), await manifestOf('out', 'large')];
    expect(small.curve).not.toBeNull();
    expect(large.curve).toEqual(small.curve);
    expect([small.layers, large.layers]).toEqual([small.curve!.small, large.curve!.large]);
    expect(await stepsOf(cli.path('out', 'large'))).toHaveLength(2);
  });

  it('trains with attention both ways, and the checkpoint encodes so', async () => {
    await train('--attention', 'bidirectional');
    expect((await manifestOf('out')).encoder.attention).toBe('bidirectional');
    expect(await json(cli.path('out', 'config.json'))).toMatchObject({ is_causal: false });
  });

  it('goes on from an adapter, which brings its rank, and from what a checkpoint keeps apart', async () => {
    await train('--no-merge');
    await train('--out', 'on', '--adapter', 'out/adapter');
    expect((await manifestOf('on')).history.at(-1)).toMatchObject({ training: { adapter: expect.stringMatching(/^[0-9a-f]{64}$/), settings: { loraRank: 2 } } });
    expectFailure(await train('--out', 'no', '--adapter', 'out/adapter', '--lora-rank', '4'), 'USAGE', /--lora-rank 2: leave --lora-rank out/);
    await train('--model', 'out', '--out', 'again');
    expect((await manifestOf('again')).history.map(({ step }) => step)).toEqual(['train', 'train']);
    expect((await stepsOf(cli.path('again')))[0]).toEqual((await stepsOf(cli.path('on')))[0]);
  });

  it('lets the model find the hard negatives itself after a warm-up', async () => {
    await train('--hard-negatives', '1');
    await train('--out', 'mined', '--hard-negatives', '1', '--model-negatives-after', '3');
    const [given, mined] = [await stepsOf(cli.path('out')), await stepsOf(cli.path('mined'))];
    expect(mined.slice(0, 3)).toEqual(given.slice(0, 3));
    for (const at of [3, 4, 5]) expect(mined[at]!.loss).not.toBeCloseTo(given[at]!.loss, 3);
    expect(await names(cli.path('mined'))).not.toContain('training');
  });

  it('measures on a corpus on the way and keeps the best step', async () => {
    await cli.write('task/corpus.jsonl', corpus);
    await cli.write('task/queries.jsonl', queries);
    const ran = await train('--eval', 'task', '--eval-every', '2', '--json');
    const [{ evaluation, step }] = documentOf<TrainResult>(ran).checkpoints as [TrainResult['checkpoints'][0]];
    const steps = await stepsOf(cli.path('out'));
    const measured = steps.flatMap((line) => (line.evaluation === undefined ? [] : [{ step: line.step, value: line.evaluation.value }]));
    expect(measured.map((one) => one.step)).toEqual([2, 4, 6]);
    const best = measured.reduce((a, b) => (b.value > a.value ? b : a));
    expect(evaluation).toMatchObject({ metric: 'ndcgAt10', best, last: measured.at(-1) });
    expect(step).toBe(best.step);
    expect(ran.stderr).toMatch(/^step 0: nDCG@10 0\.\d{4}$/m);
  });

  it('stops early where the held-out loss gains no more', async () => {
    // With a rate that forgets everything, the first evaluation is the best.
    const ran = await train('--eval', 'data.jsonl', '--eval-every', '1', '--early-stop', '2', '--steps', '40', '--lr', '0.3', '--warmup', '0', '--json');
    const [{ steps, step, evaluation }] = documentOf<TrainResult>(ran).checkpoints as [TrainResult['checkpoints'][0]];
    expect(steps).toBeLessThan(40);
    expect(steps).toBe(step + 2);
    expect(evaluation?.best.step).toBe(step);
  });

  it('calibrates what it has trained, unless it is told not to', async () => {
    await train('--calibrate', 'mean', '--components', '0');
    expect((await manifestOf('out')).calibration).toMatchObject({ kind: 'mean', components: 0 });
  });

  it('says which rows it leaves out, which say the same, and which texts it cuts', async () => {
    const lines = triplets.trim().split('\n');
    await cli.write('data.jsonl', `${lines.join('\n')}\n{"query":"a"}\n${lines[0]}\n{"anchor":"x","positive":"y"}\n`);
    await cli.write('few/rows.jsonl', `${lines.slice(0, 2).map((line) => line.replace('"query":"', '"query":"few ')).join('\n')}\n`);
    const { stderr, code } = await train('--data', 'few/rows.jsonl', '--max-length', '16');
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/^2 rows were left out:\n {2}.*data\.jsonl:13: positive is missing\n {2}.*data\.jsonl:15: query is missing/m);
    expect(stderr).toMatch(/^1 row repeats an earlier one and is left out$/m);
    expect(stderr).toMatch(/^rows has 2 rows, fewer than a batch: none of them is trained on$/m);
    expect(stderr).toMatch(/^14 rows, 3 batches a pass; tokens a text: queries 1\d, .*; \d+\.\d % of the texts are cut to the length$/m);
  });

  it('runs longer texts than the model reads cut to what it reads', async () => {
    await cli.write('data.jsonl', triplets.replaceAll('"positive":"', `"positive":"${'many words that say the same '.repeat(200)}`));
    const { code, stderr } = await train('--steps', '2', '--max-length', '256');
    expect(code, stderr).toBe(0);
  });
});
