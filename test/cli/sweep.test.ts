import { beforeEach, describe, expect, it } from 'vitest';
import type { TrainResult } from '../../src/train/job.ts';
import type { Sweep } from '../../src/train/sweep.ts';
import { corpus, queries, triplets } from './data.ts';
import { documentOf, expectFailure, json, LLAMA, names, useCli, type Ran } from './harness.ts';
import { said, shortTraining } from './training.ts';

const cli = useCli();
const short = shortTraining.slice(shortTraining.indexOf('--lora-rank'));
const args = (layers: string, ...more: string[]): string[] => ['sweep', '--model', LLAMA, '--data', 'data.jsonl', '--eval', 'task', '--out', 'out', ...short, '--steps', '2', '--layers', layers, ...more];
const sweep = (layers: string, ...more: string[]): Promise<Ran> => cli.run(args(layers, ...more));

beforeEach(async () => {
  await cli.write('data.jsonl', triplets);
  await cli.write('task/corpus.jsonl', corpus);
  await cli.write('task/queries.jsonl', queries);
});

describe('l3prune sweep', () => {
  it('measures each depth before and after the training that l3prune train does there', async () => {
    const found = documentOf<Sweep>(await sweep('4,50%,all', '--json'));
    expect(found).toMatchObject({ metric: 'ndcgAt10', model: { layers: 6 } });
    expect(found.rows.map(({ layers }) => layers)).toEqual([3, 4, 6]);
    for (const { peakBytes, evaluationSeconds, bytes, seconds } of found.rows) for (const value of [peakBytes, evaluationSeconds, bytes, seconds]) expect(value).toBeGreaterThan(0);
    const ran = await cli.run(['train', '--model', LLAMA, '--data', 'data.jsonl', '--eval', 'task', '--out', 'alone', ...short, '--steps', '2', '--eval-every', '2', '--layers', '4', '--json']);
    const [{ evaluation, loss, bytes }] = documentOf<TrainResult>(ran).checkpoints as [TrainResult['checkpoints'][0]];
    expect(found.rows[1]).toMatchObject({ before: evaluation?.before, after: evaluation?.best.value, loss: loss.last, parameters: expect.any(Number) });
    expect(found.rows[1]!.bytes / bytes).toBeCloseTo(1, 2);
    expect(await names(cli.path('out'))).toEqual(['sweep.json', 'sweep.svg']);
    expect(await json(cli.path('out', 'sweep.json'))).toMatchObject(found);
  });

  it('shows a table, a plot and the claim of the paper beside it', async () => {
    const { stdout, code } = await sweep('1,4,all', '--keep');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^layers +dropped +nDCG@10 before +after +training +tokens\/s +peak memory +evaluating +parameters +disk\n1 +83 % .*\n4 +33 % .*\n6 +0 % /);
    expect(stdout).toMatch(/layers kept; ◦ before, • after\n/);
    expect(stdout).toMatch(/^33 % of the layers dropped \(4 kept\): nDCG@10 0\.\d{4}, [−+]\d+\.\d % beside 6 layers; the paper: up to 30 % with negligible loss$/m);
    expect(stdout).toMatch(/^83 % of the layers dropped \(1 kept\): .*the paper: up to 80 % with a modest loss$/m);
    expect(await names(cli.path('out'))).toEqual(['1-layers', '4-layers', '6-layers', 'sweep.json', 'sweep.svg']);
  });

  it('goes on with the depth that it was killed in, and does none twice', async () => {
    const run = cli.start(args('1,2,3'));
    await said(run, '1 layer is measured');
    run.child.kill('SIGKILL');
    await run.ended;
    const [first] = (await json<Sweep>(cli.path('out', 'sweep.json'))).rows;
    expectFailure(await sweep('1,2,3'), 'EXISTS', /holds a sweep already: go on with it by --resume/);
    const { stderr } = await sweep('1,2,3', '--resume');
    expect(stderr).not.toContain('1 layer is measured');
    const { rows } = await json<Sweep>(cli.path('out', 'sweep.json'));
    expect(rows.map(({ layers }) => layers)).toEqual([1, 2, 3]);
    expect(rows[0]).toEqual(first);
    expectFailure(await sweep('1,2,3', '--resume', '--lr', '1e-4'), 'OTHER_RUN', /--lr was 0\.001 and is 0\.0001/);
    await cli.write('data.jsonl', triplets.split('\n').slice(0, 10).join('\n'));
    expectFailure(await sweep('1,2,3', '--resume'), 'OTHER_RUN', /--data was [0-9a-f]{12} and is [0-9a-f]{12}/);
  });

  it.each<readonly [what: string, args: string[], code: string, sentence: RegExp]>([
    ['a depth that is read from a curve', args('small'), 'USAGE', /depths that are said.*not small/],
    ['more layers than there are', args('3,9'), 'USAGE', /The model has 6 layers/],
    ['nothing to measure on', args('3').filter((arg) => arg !== '--eval' && arg !== 'task'), 'USAGE', /give --eval/],
    ['--force', args('3', '--force'), 'USAGE', /A sweep replaces nothing/],
  ])('refuses %s and writes nothing', async (_, command, code, sentence) => {
    expectFailure(await cli.run(command), code, sentence);
    expect(await names(cli.path())).not.toContain('out');
  });

  it('leaves a folder alone that holds other things', async () => {
    await cli.write('out/thesis.txt', 'years of work');
    expectFailure(await sweep('3'), 'EXISTS', /holds other things than a sweep/);
    expect(await names(cli.path('out'))).toEqual(['thesis.txt']);
  });
});
