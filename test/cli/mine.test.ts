import { cp, readFile, rename, symlink } from 'node:fs/promises';
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

  it('reads several folders, and links that lead in circles once', async () => {
    await cli.write('more/index.js', '/** Joins the given names to one line of text. */\nexport function joinNames(names) {\n  const line = names.join();\n  console.log(line);\n  return line;\n}\n\n/** Opens a window over whatever stood there. */\nexport function openWindow(width) {\n  const pane = make(width);\n  show(pane);\n  return pane;\n}\n');
    await symlink(cli.path('more'), cli.path('more', 'loop'));
    const report = documentOf<{ triplets: number; skipped: Record<string, number> }>(await cli.run(['mine', 'work', 'more', 'work', '--no-dependencies', '--out', 'o.jsonl', '--json']));
    expect(report).toMatchObject({ triplets: 5, skipped: { 'symbolic link': 1 } });
  });

  it('writes held-out rows to a file of their own, and leaves out functions that are measured with', async () => {
    const all = documentOf<{ triplets: number }>(await mine('--out', 'all.jsonl', '--json'));
    const held = documentOf<{ triplets: number; heldOut: number }>(await mine('--out', 'train.jsonl', '--held-out', 'held.jsonl', '--held-out-share', '0.5', '--json'));
    expect(held.heldOut).toBeGreaterThan(0);
    expect(held.triplets + held.heldOut).toBeLessThanOrEqual(all.triplets);
    const [first] = (await readFile(cli.path('all.jsonl'), 'utf8')).trimEnd().split('\n').map((line) => JSON.parse(line) as { positive: string });
    await cli.write('kept.jsonl', `${JSON.stringify({ code: first!.positive })}\n`);
    const report = documentOf<{ skipped: Record<string, number> }>(await mine('--out', 'rest.jsonl', '--exclude-functions', 'kept.jsonl', '--json'));
    expect(report.skipped).toMatchObject({ 'excluded function': expect.any(Number) as number });
    expect(await readFile(cli.path('rest.jsonl'), 'utf8')).not.toContain(JSON.stringify(first!.positive));
  });

  it('has each kind and language that is asked for, and says what there are', async () => {
    const report = documentOf<{ found: { kind: string; language: string }[] }>(await mine('--out', 'o.jsonl', '--kinds', 'doc', '--languages', 'typescript,python', '--json'));
    expect(new Set(report.found.map(({ kind, language }) => `${kind} ${language}`))).toEqual(new Set(['doc typescript']));
    expectFailure(await mine('--out', 'x.jsonl', '--kinds', 'jokes'), 'USAGE', /doc, test, commit, name/);
  });

  it.each([
    ['a workspace that is not there', ['--workspace', 'nowhere', '--out', 'o.jsonl'], 'NOT_FOUND', /nowhere/],
    ['a workspace that is a file', ['--workspace', 'work/package.json', '--out', 'o.jsonl'], 'NOT_FOUND', /package\.json/],
    ['a folder to write to', ['--out', 'work'], 'EXISTS', /is a folder/],
    ['a link', ['--out', '/dev/stdout', '--force'], 'EXISTS', /no plain file/],
    ['a device', ['--out', '/dev/null'], 'EXISTS', /no plain file/],
    ['a file below a file', ['--out', 'work/package.json/o.jsonl'], 'WRITE_FAILED', /not a folder/],
    ['functions to leave out that are not there', ['--out', 'o.jsonl', '--exclude-functions', 'none.jsonl'], 'NOT_FOUND', /none\.jsonl/],
    ['functions to leave out that are none', ['--out', 'o.jsonl', '--exclude-functions', 'home'], 'BAD_DATA', /home holds no function/],
    ['one file for both sides', ['--out', 'o.jsonl', '--held-out', './o.jsonl'], 'USAGE', /same file/],
    ['packages and folders at once', ['--out', 'o', '--packages', 'list.txt'], 'USAGE', /without folders/],
    ['packages to exclude of a workspace', ['--out', 'o', '--exclude-packages', 'list.txt'], 'USAGE', /for --packages alone/],
    ['a workspace without code', ['--workspace', 'home', '--out', 'o.jsonl'], 'BAD_DATA', /no function with a query.* nothing was written/],
  ] as const)('refuses %s', async (_, args, code, sentence) => {
    await cli.write('home/readme.md', 'words');
    const before = await names(cli.path());
    expectFailure(await mine(...args), code, sentence);
    expect(await names(cli.path())).toEqual(before);
  });

  it.each([
    ['nothing to mine', ['mine', '--out', 'o.jsonl'], 'USAGE', /Name a folder/],
    ['a list that is not there', ['mine', '--packages', 'none.txt', '--out', 'o'], 'NOT_FOUND', /none\.txt/],
    ['a list that is none', ['mine', '--packages', 'list.txt', '--out', 'o'], 'BAD_DATA', /line 1 names no package/],
    ['a folder of something else', ['mine', '--packages', 'packages.txt', '--out', 'work'], 'EXISTS', /holds something else/],
  ] as const)('refuses %s', async (_, args, code, sentence) => {
    await cli.write('list.txt', 'lodash\n');
    await cli.write('packages.txt', 'npm:lodash\n');
    const before = await snapshot(cli.path());
    expectFailure(await cli.run(args), code, sentence);
    expect(await snapshot(cli.path())).toEqual(before);
  });
});
