import { describe, expect, it } from 'vitest';
import { createdBy } from '../../src/version.ts';
import { triplets } from './data.ts';
import { expectFailure, LLAMA, names, useCli } from './harness.ts';

const cli = useCli();
const subcommands = ['demo', 'profile', 'prune', 'embed', 'mine', 'eval'];

describe('help', () => {
  it('names every subcommand on standard output', async () => {
    const { stdout, stderr, code } = await cli.run(['--help']);
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
    for (const name of subcommands) expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
  });

  it.each(subcommands)('of %s says what it takes', async (name) => {
    const { stdout, stderr, code } = await cli.run([name, '--help']);
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
    expect(stdout).toContain(`Usage: l3prune ${name} [options]`);
    // The demo prints for people alone, and mining needs no data home.
    expect(stdout.includes('--json')).toBe(name !== 'demo');
    expect(stdout.includes('--home <dir>')).toBe(name !== 'mine');
  });

  it('names the version', async () => {
    expect(await cli.run(['--version'])).toEqual({ stdout: `${createdBy}\n`, stderr: '', code: 0 });
  });

  it('is what a call without a subcommand gets, as a usage error', async () => {
    const { stdout, stderr, code } = await cli.run([]);
    expect(stdout).toBe('');
    expect(stderr).toContain('Usage: l3prune');
    expect(code).toBe(2);
  });
});

describe('arguments that make no sense', () => {
  const model = ['--model', LLAMA];
  const prune = ['prune', ...model, '--out', 'out'];
  const cases: ReadonlyArray<readonly [what: string, args: readonly string[], sentence: RegExp]> = [
    ['an unknown subcommand', ['profil'], /unknown command 'profil'.*profile/i],
    ['an unknown option', ['embed', ...model, '--layes', '2'], /unknown option '--layes'/i],
    ['a word too many', ['embed', ...model, 'words'], /too many arguments/i],
    ['a missing option', ['profile', ...model], /--data <data>/],
    ['an option without its value', ['embed', '--model'], /--model <model>/],
    ['an empty path', [...prune, '--layers', '2', '--curve', ''], /--curve <file>.*empty/],
    ['no threads', ['embed', ...model, '--threads', '0'], /--threads <n>.*whole number from 1 to 1024/],
    ['half a layer', [...prune, '--layers', '1.5'], /--layers <n>.*whole number/],
    ['no layer', [...prune, '--layers', '0'], /--layers <n>.*whole number from 1/],
    ['more layers than there are', [...prune, '--layers', '7'], /The model has 6 layers/],
    ['no percent', [...prune, '--percent', '0'], /more than 0 and less than 100/],
    ['a share where percent are meant', [...prune, '--percent', '0.3'], /did you mean --percent 30\?/],
    ['all percent', [...prune, '--percent', '100'], /more than 0 and less than 100/],
    ['percent of which nothing is left', [...prune, '--percent', '90'], /Nothing of 6 layers is left/],
    ['percent that are no number', [...prune, '--percent', 'NaN'], /--percent <p>.*number/],
    ['no depth', prune, /one of --layers, --percent, --small and --large/],
    ['two depths', [...prune, '--small', '--large'], /one of --layers, --percent, --small and --large/],
    ['a cut by a curve without one', [...prune, '--small'], /give --curve FILE or --data D/],
    ['data on which nothing is measured', [...prune, '--layers', '2', '--data', 'd.jsonl', '--calibrate', 'none'], /Nothing would be measured on the data/],
    ['a length the model does not read', [...prune, '--layers', '2', '--max-length', '300'], /model reads 1 to 256/],
    ['an instruction longer than what is read', [...prune, '--layers', '2', '--instruction', 'Find it. '.repeat(200)], /instruction alone fills the 256 tokens/],
    ['a calibration without data to measure it on', [...prune, '--layers', '2', '--calibrate', 'router'], /measured on triplets: give the data/],
    ['components of no calibration', [...prune, '--layers', '2', '--data', 'd.jsonl', '--calibrate', 'none', '--components', '2'], /leave them out/],
    ['a calibration there is not', [...prune, '--layers', '2', '--calibrate', 'whiten'], /Allowed choices are mean, router, none/],
    ["the paper's settings and others", ['profile', ...model, '--data', 'd.jsonl', '--paper', '--batches', '2'], /--paper sets batches/],
    ['a scale that float32 does not have', ['profile', ...model, '--data', 'd.jsonl', '--scale', '1e39'], /--scale <scale>.*above 0/],
    ['an attention there is not', ['embed', ...model, '--attention', 'full'], /Allowed choices are causal, bidirectional/],
    ['a layer to embed with that there is not', ['embed', ...model, '--layer', '7'], /The model has 6 layers/],
  ];

  it.each(cases)('%s: one sentence, exit code 2, and nothing written', async (_, args, sentence) => {
    const ran = await cli.run(args);
    expectFailure(ran, 'USAGE', sentence);
    expect(ran.stdout).toBe('');
    expect(await names(cli.path())).toEqual([]);
  });

  it('are found before minutes are spent on a curve', async () => {
    const data = await cli.write('data.jsonl', triplets);
    const ran = await cli.run([...prune, '--percent', '100', '--data', data]);
    expectFailure(ran, 'USAGE');
    expect(ran.stderr).not.toContain('loss');
  });
});
