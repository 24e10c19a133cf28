import { readFile, rm } from 'node:fs/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import type { TrainResult } from '../../src/train/job.ts';
import { triplets } from './data.ts';
import { documentOf, expectFailure, LLAMA, names, snapshot, useCli, type Ran } from './harness.ts';
import { said, shortTraining, stepsOf, training } from './training.ts';

const cli = useCli();
const train = (...more: string[]): Promise<Ran> => cli.run(training(...more));

beforeEach(async () => {
  await cli.write('data.jsonl', triplets);
});

describe('data that cannot be trained on', () => {
  const [first] = triplets.split('\n') as [string];
  it.each<readonly [what: string, content: string, code: string, sentence: RegExp]>([
    ['is empty', '', 'BAD_DATA', /data\.jsonl is empty: a row is a JSON object with query and positive/],
    ['has one row', `${first}\n`, 'BAD_DATA', /has 1 usable row, and a batch needs at least 2: give more data/],
    ['has only duplicates', `${first}\n`.repeat(20), 'BAD_DATA', /has 1 usable row \(19 repeat an earlier one\)/],
    ['has rows of other schemas', '{"anchor":"a","positive":"b"}\n{"text":"c","label":1}\n'.repeat(6), 'BAD_DATA', /none of its 12 rows can be used \(.*line 1: query is missing/],
    ['has fewer rows than a batch', triplets.split('\n').slice(0, 3).join('\n'), 'BAD_DATA', /has 3 usable rows, and a batch needs 4: give more data or a batch size of 3 at most/],
    ['has nothing to encode in a batch', '{"query":"q","positive":"p"}\n{"query":"r","positive":"s"}\n{"query":"t","positive":"u"}\n{"query":"v","positive":"w"}\n', 'USAGE', /instruction alone fills/],
  ])('because it %s is refused in one sentence, and no folder is left', async (what, content, code, sentence) => {
    await cli.write('data.jsonl', content);
    const ran = await train(...(what.includes('nothing to encode') ? ['--instruction', 'many words '.repeat(100)] : []));
    expectFailure(ran, code, sentence);
    expect(await names(cli.path())).not.toContain('out');
  });

  it('without hard negatives has no curve to read small from, and is trained on at a depth that is said', async () => {
    await cli.write('data.jsonl', triplets.replaceAll(/,"negative":"(?:[^"\\]|\\.)*"/g, ''));
    expectFailure(await train('--layers', 'small'), 'BAD_DATA', /No row has a hard negative.*say --layers N/);
    expect((await train('--steps', '2')).code).toBe(0);
  });
});

describe('what is not the training\'s own', () => {
  it.each(['out/training/rows.jsonl', 'out/notes/mine.txt'])('such as %s is left alone, before the training and after it', async (file) => {
    await cli.write(file, triplets);
    for (const more of [[], ['--resume'], ['--force']]) expectFailure(await train('--data', cli.path(file), ...more), 'EXISTS', /holds other things than a training \(.*\) and is left alone/);
    await rm(cli.path('out'), { recursive: true });
    const run = cli.start(training('--steps', '100'));
    await said(run, 'Training out');
    await cli.write(file, 'mine');
    expectFailure(await run.ended, 'EXISTS', /holds other things/);
    expectFailure(await train('--steps', '100', '--resume'), 'EXISTS', /move them elsewhere/);
    await rm(cli.path(file));
    if (file.includes('notes')) await rm(cli.path('out', 'notes'), { recursive: true });
    expect(await train('--steps', '100', '--resume')).toMatchObject({ code: 0 });
  });
});

describe('rows that cannot be used', () => {
  it('are each named in a file beside the checkpoint, and counted in the document', async () => {
    await cli.write('data.jsonl', `${triplets}${'{"query":1}\n'.repeat(30)}`);
    const { data } = documentOf<TrainResult>(await train('--json'));
    expect(data).toEqual({ rows: 12, rejected: 30, repeated: 0 });
    const rows = (await readFile(cli.path('out', 'rejected.jsonl'), 'utf8')).trimEnd().split('\n');
    expect(rows).toHaveLength(30);
    expect(JSON.parse(rows[29]!)).toMatchObject({ line: 42, reason: expect.stringContaining('query') as string });
  });
});

describe('a run that cannot begin', () => {
  it.each<readonly [args: string[], code: string]>([
    [['--calibrate', 'mean', '--components', '30'], 'BAD_DATA'],
    [['--engine', 'tensorflow', '--base-bits', '8'], 'USAGE|ENGINE'],
  ])('because of %s leaves no training behind', async (args, code) => {
    const ran = await train(...args);
    expect(ran.stderr).toMatch(new RegExp(`\\[(${code})\\]\n$`));
    expect(await names(cli.path())).not.toContain('out');
  });
});

describe('settings that make no sense', () => {
  it.each<readonly [args: string[], sentence: RegExp]>([
    [['--lora-rank', '0'], /--lora-rank cannot be 0: it has to be a whole number above 0/],
    [['--lora-rank', '1.5'], /--lora-rank cannot be 1\.5/],
    [['--lora-alpha', '-1'], /--lora-alpha cannot be -1/],
    [['--dropout', '1'], /--dropout cannot be 1: .*nothing would reach the adapter/],
    [['--lr', '0'], /--lr cannot be 0: it has to be a number above 0/],
    [['--steps', '0'], /--steps cannot be 0/],
    [['--batch-size', '1'], /--batch-size cannot be 1: .*told from the others/],
    [['--targets', 'q_proj,lm_head'], /lm_head is none of q_proj/],
    [['--layers', '7'], /The model has 6 layers: keep 1 to 6 of them, not 7/],
    [['--layers', 'deep'], /has to be a count of layers/],
    [['--layers', '0.5%'], /did you mean --percent 50/],
    [['--max-length', '100000'], /A length of 100000 tokens is not possible/],
    [['--precision', 'int8', '--device', 'webgpu'], /--precision int8 is for the CPU|WebGPU/],
    [['--eval-every', '5'], /give --eval/],
    [['--resume', '--force'], /--resume or begin it again by --force, not both/],
    [['--calibrate', 'none', '--components', '2'], /calibrat/],
    [['--scale', '0'], /number above 0/],
  ])('%s are one sentence with exit code 2, and nothing is written', async (args, sentence) => {
    expectFailure(await train(...args), 'USAGE', sentence);
    expect(await names(cli.path())).not.toContain('out');
  });

  it('such as more texts at a time than memory holds say what fits', async () => {
    expectFailure(await train('--micro-batch', '1000000000'), 'TOO_LARGE', /tokens at a time need about .* are free: take a smaller --micro-batch/);
  });

  it('such as a rate that diverges stop it with the step, and keep the last good state', async () => {
    const ran = await train('--lr', '1e30', '--warmup', '0', '--steps', '20');
    expectFailure(ran, 'DIVERGED', /at step \d+ its loss is .* Train again with a lower --lr or a longer --warmup: nothing was learned before/);
    expectFailure(await train(), 'EXISTS', /not finished: go on with it by --resume, or begin again by --force/);
    expect((await train('--force')).code).toBe(0);
  });
});

describe('a folder that cannot be trained in', () => {
  it('because it is finished is left as it was without --force', async () => {
    await train('--steps', '1');
    const before = await snapshot(cli.path('out'));
    expectFailure(await train('--steps', '1'), 'EXISTS', /exists already: name another folder, or replace it with --force/);
    expect(await snapshot(cli.path('out'))).toEqual(before);
  });

  it('because it is finished is said to be where it is asked to go on', async () => {
    await train('--steps', '2');
    const before = await snapshot(cli.path('out'));
    const ran = await train('--steps', '2', '--resume');
    expect(ran).toMatchObject({ code: 0, stderr: expect.stringContaining('is finished already') });
    expectFailure(await train('--steps', '3', '--resume'), 'OTHER_RUN', /--steps was 2 and is 3/);
    expect(await snapshot(cli.path('out'))).toEqual(before);
  });

  it('because it holds other things is left alone even with --force', async () => {
    await cli.write('out/thesis.txt', 'years of work');
    for (const option of ['--force', '--resume']) expectFailure(await train(option), 'EXISTS', /holds other things than a training \(.*\) and is left alone/);
    expect(await names(cli.path('out'))).toEqual(['thesis.txt']);
  });

  it('because another process is training there says which one', async () => {
    const first = cli.start(training('--steps', '100000'));
    await said(first, 'Training out');
    for (const option of ['--resume', '--force']) expectFailure(await train('--steps', '100000', option), 'BUSY', new RegExp(`Another process \\(${first.child.pid}\\) is training in`));
    first.child.kill('SIGKILL');
    await first.ended;
    // The lock of a process that is gone holds nobody up.
    expect((await train('--force', '--steps', '1')).code).toBe(0);
  });

  it.runIf(process.platform === 'linux')('because nobody may write there is one sentence', async () => {
    const args = ['train', '--model', LLAMA, '--data', 'data.jsonl', '--out', '/sys/kernel/out', ...shortTraining];
    expectFailure(await cli.run(args), 'WRITE_FAILED', /\/sys\/kernel\/out cannot be written/);
  });
});

describe('a training that is to go on', () => {
  /** One that was killed with its first step saved. */
  const killed = async (): Promise<void> => {
    const run = cli.start(training('--steps', '1000', '--save-every', '1'));
    await said(run, 'Training out');
    while ((await stepsOf(cli.path('out')).catch(() => [])).length < 2) await new Promise((resolve) => setImmediate(resolve));
    run.child.kill('SIGKILL');
    await run.ended;
    // Whoever comes next takes the lock over, and gives it back.
    await rm(cli.path('out', 'training', 'lock'));
  };

  it('says all that differs, and leaves it as it was', async () => {
    await killed();
    const before = await snapshot(cli.path('out'));
    const other = await train('--steps', '1000', '--resume', '--lr', '2e-3', '--scale', '20', '--layers', '3');
    expectFailure(other, 'OTHER_RUN', /--layers was 2 and is 3/);
    expect(other.stderr).toMatch(/--lr was 0\.001 and is 0\.002; --scale was 50 and is 20/);
    await cli.write('data.jsonl', triplets.split('\n').slice(0, 8).join('\n'));
    expectFailure(await train('--steps', '1000', '--resume'), 'OTHER_RUN', /the data had 12 rows \(\w{12}\) and has 8 \(\w{12}\)/);
    // Not toEqual, which would print the files.
    expect(JSON.stringify(await snapshot(cli.path('out'))) === JSON.stringify(before)).toBe(true);
  });

  it('takes what is left out from what it was begun with', async () => {
    await cli.run(['train', '--model', LLAMA, '--data', 'data.jsonl', '--out', 'out', ...shortTraining]);
    const ran = await cli.run(['train', '--model', LLAMA, '--data', 'data.jsonl', '--out', 'out', '--resume']);
    expect(ran).toMatchObject({ code: 0, stderr: expect.stringContaining('is finished already') });
  });

  it.each([
    ['state.json', '{', /state\.json is not what it should be|damaged/],
    ['run.json', '{}', /run\.json is damaged: begin the run again with --force/],
  ])('and whose %s is damaged says so', async (file, content, sentence) => {
    await killed();
    await cli.write(`out/training/${file}`, content);
    expectFailure(await train('--steps', '1000', '--resume'), 'BAD_MANIFEST', sentence);
  });
});
