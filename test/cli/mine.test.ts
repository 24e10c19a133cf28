import { cp, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { fixtures } from '../reference.ts';
import { asReference } from './data.ts';
import { documentOf, expectFailure, LLAMA, names, snapshot, useCli, type Ran } from './harness.ts';

const cli = useCli();
const mine = (...args: string[]): Promise<Ran> => cli.run(['mine', '--workspace', cli.path('work'), ...args]);

beforeEach(async () => {
  await cp(join(fixtures, 'mine', 'workspace'), cli.path('work'), { recursive: true });
  await cp(join(fixtures, 'mine', 'dependencies'), cli.path('work', 'node_modules'), { recursive: true });
  await rename(cli.path('work', 'gitignore'), cli.path('work', '.gitignore'));
});

describe('l3prune mine', () => {
  it('writes triplets that profile reads, and changes nothing in the workspace', async () => {
    const before = await snapshot(cli.path('work'));
    const report = documentOf<{ out: string; triplets: number }>(await mine('--out', 'data/triplets.jsonl', '--json'));
    const rows = (await readFile(cli.path('data', 'triplets.jsonl'), 'utf8')).trimEnd().split('\n').map((line) => JSON.parse(line) as object);
    expect(report).toMatchObject({ out: 'data/triplets.jsonl', triplets: rows.length });
    expect(rows.length).toBeGreaterThanOrEqual(4);
    for (const row of rows) expect(row).toMatchObject({ query: expect.any(String) as string, positive: expect.any(String) as string, negative: expect.any(String) as string });
    expect(await snapshot(cli.path('work'))).toEqual(before);
    expect(await names(cli.path('data'))).toEqual(['triplets.jsonl']);
    const data = cli.path('data', 'triplets.jsonl');
    documentOf(await cli.run(['profile', '--model', LLAMA, '--data', data, ...asReference, '--batch-size', '2', '--batches', '2', '--json']));
  });

  it('gives the same triplets for the same seed', async () => {
    await mine('--out', 'one.jsonl', '--seed', '3');
    await mine('--out', 'two.jsonl', '--seed', '3');
    expect(await readFile(cli.path('one.jsonl'), 'utf8')).toBe(await readFile(cli.path('two.jsonl'), 'utf8'));
  });

  it('says for a person what was found and what was left out', async () => {
    const { stdout, code } = await mine('--out', 'triplets.jsonl');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^6 rows from 8 of 8 files in 4 packages\n +doc +all\ntypescript +3 +3\njavascript +3 +3\nall +6 +6\nleft out: .*\nwritten to triplets\.jsonl\n$/);
  });

  it('stops at the limit', async () => {
    expect(documentOf(await mine('--out', 'triplets.jsonl', '--limit', '2', '--json'))).toMatchObject({ triplets: 2 });
  });

  it('replaces a file only with --force, or when it is empty', async () => {
    await cli.write('thesis.tex', 'years of work');
    expectFailure(await mine('--out', 'thesis.tex'), 'EXISTS', /exists already/);
    expect(await readFile(cli.path('thesis.tex'), 'utf8')).toBe('years of work');
    documentOf(await mine('--out', await cli.write('empty', ''), '--json'));
    documentOf(await mine('--out', 'thesis.tex', '--force', '--json'));
  });

  it('leaves nothing on a disk that refuses to be written', async () => {
    const before = await names(cli.path());
    const ran = await cli.run(['mine', '--workspace', cli.path('work'), '--out', 'triplets.jsonl'], { shell: 'ulimit -f 1; exec "$@"' });
    expectFailure(ran, 'WRITE_FAILED', /triplets\.jsonl cannot be written: the file would be larger/);
    expect(await names(cli.path())).toEqual(before);
  });

  it('says why nothing was found', async () => {
    const same = (name: string): string => `/** Adds one to the number that it is given. */\nexport function ${name}(x) {\n  const y = x + 1;\n  console.log(y);\n  return y;\n}\n`;
    await cli.write('lone/index.js', same('add'));
    expectFailure(await cli.run(['mine', '--workspace', 'lone', '--out', 'o.jsonl']), 'BAD_DATA', /left out: .*1 no other function in its package/);
  });

  it.each([
    ['a workspace that is not there', ['--workspace', 'nowhere', '--out', 'o.jsonl'], 'NOT_FOUND', /nowhere/],
    ['a workspace that is a file', ['--workspace', 'work/package.json', '--out', 'o.jsonl'], 'NOT_FOUND', /package\.json/],
    ['a folder to write to', ['--out', 'work'], 'EXISTS', /is a folder/],
    ['a link', ['--out', '/dev/stdout', '--force'], 'EXISTS', /no plain file/],
    ['a device', ['--out', '/dev/null'], 'EXISTS', /no plain file/],
    ['a file below a file', ['--out', 'work/package.json/o.jsonl'], 'WRITE_FAILED', /not a folder/],
    ['a workspace without code', ['--workspace', 'home', '--out', 'o.jsonl'], 'BAD_DATA', /no function with a query.* nothing was written/],
  ] as const)('refuses %s', async (_, args, code, sentence) => {
    await cli.write('home/readme.md', 'words');
    const before = await names(cli.path());
    expectFailure(await mine(...args), code, sentence);
    expect(await names(cli.path())).toEqual(before);
  });
});
