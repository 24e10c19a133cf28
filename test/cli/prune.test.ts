import { describe, expect, it } from 'vitest';
import type { LossCurve } from '../../src/prune/curve.ts';
import type { CheckpointSummary } from '../../src/prune/job.ts';
import type { Manifest } from '../../src/prune/manifest.ts';
import { asReference, triplets } from './data.ts';
import { documentOf, expectFailure, json, linesOf, LLAMA, names, snapshot, useCli } from './harness.ts';

const cli = useCli();
const prune = (...args: string[]): Promise<Awaited<ReturnType<typeof cli.run>>> => cli.run(['prune', '--model', LLAMA, '--out', 'out', ...args]);
const summaryOf = async (...args: string[]): Promise<CheckpointSummary> => documentOf(await prune('--json', ...args));
const manifestOf = (folder: string): Promise<Manifest> => json(cli.path(folder, 'l3prune.json'));

describe('l3prune prune', () => {
  it.each([
    [['--layers', '4'], 4],
    [['--layers', '6'], 6],
    [['--percent', '50'], 3],
    [['--percent', '33.4'], 3],
    [['--percent', '1'], 5],
  ] as const)('with %s keeps %i layers', async (args, layers) => {
    expect(await summaryOf(...args)).toMatchObject({ path: cli.path('out'), layersKept: layers, layersOfBase: 6, baseModel: 'model' });
    expect(await json(cli.path('out', 'config.json'))).toMatchObject({ num_hidden_layers: layers });
    expect(await manifestOf('out')).toMatchObject({ layers, curve: null, calibration: null });
  });

  it('says for a person what was written, and from which model', async () => {
    const { stdout, code } = await prune('--layers', '4');
    expect(code).toBe(0);
    expect(stdout).toMatch(/out: 4 of 6 layers, \d+\.\d million parameters, \d[\d.]* [kM]B\ncut from model, fingerprint [0-9a-f]{64}\n$/);
  });

  it.each([
    ['--small', 2],
    ['--large', 5],
  ] as const)('%s cuts where a curve that profile printed says, and keeps the curve', async (which, layers) => {
    const data = await cli.write('data.jsonl', triplets);
    const { stdout } = await cli.run(['profile', '--model', LLAMA, '--data', data, ...asReference, '--json']);
    const curve = await cli.write('curve.json', stdout);
    expect(await summaryOf(which, '--curve', curve)).toMatchObject({ layersKept: layers });
    expect(await manifestOf('out')).toMatchObject({ curve: JSON.parse(stdout) as object, history: [{ depth: { kind: which.slice(2) } }] });
  });

  it('measures the curve itself where it is given data, and a calibration by one mean and one component', async () => {
    const data = await cli.write('data.jsonl', triplets);
    const ran = await prune('--small', '--data', data, ...asReference, '--json');
    expect(documentOf<CheckpointSummary>(ran)).toMatchObject({ layersKept: 2 });
    expect(ran.stderr).toContain('small (S): 2 of 6 layers');
    expect(await manifestOf('out')).toMatchObject({
      calibration: { kind: 'mean', components: 1, rows: 12 },
      curve: { small: 2, large: 5 },
      encoder: { maxLength: 96, separator: ' ' },
    });
    expect(await names(cli.path('out'))).toContain('2_Dense');
  });

  it('keeps the settings that change a vector, and embed uses them', async () => {
    const own = ['--attention', 'bidirectional', '--pooling', 'mean', '--max-length', '7'];
    await prune('--layers', '3', ...own, '--instruction', 'Find it:', '--separator', '\n');
    expect((await manifestOf('out')).encoder).toEqual({ attention: 'bidirectional', pooling: 'mean', maxLength: 7, separator: '\n', instruction: 'Find it:' });
    const input = '{"text":"how to reverse a linked list","instruction":"Find:"}\n';
    const [cut] = linesOf(await cli.run(['embed', '--model', 'out', '--tokens'], { input }));
    const [base] = linesOf(await cli.run(['embed', '--model', LLAMA, '--layer', '3', ...own, '--separator', '\n', '--tokens'], { input }));
    expect(cut).toEqual(base);
  });

  it('composes: a pruned model pruned again is the base pruned once, and knows its history', async () => {
    await prune('--layers', '5');
    documentOf(await cli.run(['prune', '--model', 'out', '--layers', '2', '--out', 'again', '--json']));
    documentOf(await cli.run(['prune', '--model', LLAMA, '--layers', '2', '--out', 'once', '--json']));
    expect((await snapshot(cli.path('again')))[cli.path('again', 'model.safetensors')]).toBe(
      (await snapshot(cli.path('once')))[cli.path('once', 'model.safetensors')],
    );
    const { base, history } = await manifestOf('again');
    expect(base).toMatchObject({ name: 'model', layers: 6 });
    expect(history.map(({ from, layers }) => [from.layers, layers])).toEqual([[6, 5], [5, 2]]);
  });

  it('leaves the model as it was', async () => {
    const model = await cli.model('base');
    const before = await snapshot(model);
    documentOf(await cli.run(['prune', '--model', model, '--layers', '3', '--out', 'out', '--json']));
    expect(await snapshot(model)).toEqual(before);
  });

  it('makes the folders above --out, and takes a folder that is empty', async () => {
    documentOf(await cli.run(['prune', '--model', LLAMA, '--layers', '3', '--out', 'a/b/c', '--json']));
    expect(await names(cli.path('a', 'b'))).toEqual(['c']);
  });
});

describe('what stands where it is to write', () => {
  it('is not touched without --force', async () => {
    await prune('--layers', '4');
    const before = await snapshot(cli.path('out'));
    expectFailure(await prune('--layers', '2'), 'EXISTS', /out exists already: name another folder, or replace it with --force/);
    expect(await snapshot(cli.path('out'))).toEqual(before);
  });

  it('is replaced whole with --force when it is a checkpoint of ours', async () => {
    await prune('--layers', '4');
    await cli.write('out/notes.txt', 'mine');
    expect(await summaryOf('--layers', '2', '--force')).toMatchObject({ layersKept: 2 });
    expect(await names(cli.path('out'))).not.toContain('notes.txt');
    expect(await names(cli.path())).toEqual(['home', 'out']);
  });

  it('is not replaced even with --force when it is anything else', async () => {
    await cli.write('out/thesis.tex', 'years of work');
    expectFailure(await prune('--layers', '2', '--force'), 'EXISTS', /other things than a checkpoint/);
    expect(await names(cli.path('out'))).toEqual(['thesis.tex']);
  });

  it('may not be a file', async () => {
    await cli.write('out', 'a file');
    expectFailure(await prune('--layers', '2', '--force'), 'EXISTS', /is a file/);
  });

  it('may not have a name that no disk takes', async () => {
    const ran = await cli.run(['prune', '--model', LLAMA, '--layers', '2', '--out', `new/${'x'.repeat(300)}`]);
    expectFailure(ran, 'WRITE_FAILED', /its name is too long/);
    expect(await names(cli.path())).toEqual(['home']);
  });

  it('may not lie inside of a file', async () => {
    const file = await cli.write('file', 'a file');
    expectFailure(await cli.run(['prune', '--model', LLAMA, '--layers', '2', '--out', `${file}/a/b`]), 'WRITE_FAILED', /not a folder/);
  });
});

describe('a curve', () => {
  const withCurve = async (content: string | Uint8Array): Promise<Awaited<ReturnType<typeof cli.run>>> =>
    prune('--small', '--curve', await cli.write('curve.json', content));

  it.each([
    ['empty', '', /not valid JSON/],
    ['no JSON', 'loss: 3', /not valid JSON/],
    ['other JSON', '{"small":2,"large":5}', /small: it is missing|layers: it is missing/],
    ['deep JSON', '['.repeat(100_000), /nested deeper than 64/],
    ['longer than any curve', ' '.repeat(2 ** 20 + 1), /no file of ours is longer/],
    ['not UTF-8', Uint8Array.of(0x7b, 0xff, 0x7d), /not UTF-8/],
  ] as const)('that is %s is refused', async (_, content, sentence) => {
    expectFailure(await withCurve(content), 'BAD_MANIFEST', sentence);
    expect(await names(cli.path())).toEqual(['curve.json']);
  });

  it('that is a folder is refused', async () => {
    expectFailure(await prune('--small', '--curve', LLAMA), 'BAD_MANIFEST', /is not a file/);
  });

  it('that is not there is named', async () => {
    expectFailure(await prune('--small', '--curve', 'no.json'), 'NOT_FOUND', /no\.json/);
  });

  it.each<readonly [string, (curve: Record<string, any>) => void, RegExp]>([
    ['cuts beyond its own layers', (curve) => (curve['large'] = 7), /large: cuts at 2 and 7 of 6 layers/],
    ['has layers in another order', (curve) => (curve['layers'] = (curve['layers'] as unknown[]).toReversed()), /layers: are not numbered/],
    ['has no layer', (curve) => (curve['layers'] = []), /layers: has 0 losses/],
    ['has another number of layers at a scale', (curve) => (curve['scales']['20'].losses as unknown[]).pop(), /scales\.20: has another number/],
  ])('that %s is refused', async (_, change, sentence) => {
    const data = await cli.write('data.jsonl', triplets);
    const curve = documentOf<LossCurve>(await cli.run(['profile', '--model', LLAMA, '--data', data, ...asReference, '--json']));
    change(curve as unknown as Record<string, unknown>);
    expectFailure(await withCurve(JSON.stringify(curve)), 'BAD_MANIFEST', sentence);
  });

  it('of another model is refused', async () => {
    const data = await cli.write('data.jsonl', triplets);
    await cli.run(['prune', '--model', LLAMA, '--layers', '5', '--out', 'other']);
    const { stdout } = await cli.run(['profile', '--model', 'other', '--data', data, ...asReference, '--json']);
    const ran = await withCurve(stdout);
    expectFailure(ran, 'USAGE', /measured on other, which is another model than model/);
    expect(await names(cli.path())).toEqual(['curve.json', 'data.jsonl', 'home', 'other']);
  });
});
