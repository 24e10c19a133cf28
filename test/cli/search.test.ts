import { existsSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { skipBecause } from '../skips.ts';
import { documentOf, expectFailure, LLAMA, useCli, type Ran, type RunOptions } from './harness.ts';
import { files, writeWorkspace } from './workspace.ts';

const cli = useCli();
beforeEach(() => writeWorkspace(cli));

const search = (args: readonly string[], options?: RunOptions): Promise<Ran> => cli.run(['search', '--workspace', 'ws', ...args], options);
const index = (...args: string[]): Promise<Ran> => cli.run(['index', '--workspace', 'ws', ...args]);

interface Answer {
  readonly results: ReadonlyArray<{ readonly path: string; readonly language: string; readonly kind: string; readonly startLine: number; readonly endLine: number; readonly symbol: string; readonly score: number; readonly snippet: string; readonly isChanged: boolean }>;
  readonly index: { readonly files: number; readonly chunks: number; readonly encoder?: string; readonly semanticShare: number; readonly isWhole: boolean };
  readonly notes: readonly string[];
}
const answered = async (...args: string[]): Promise<Answer> => documentOf(await search(['--json', ...args]));
const placesOf = ({ results }: Answer): string[] => results.map(({ path, startLine, endLine }) => `${path}:${startLine}-${endLine}`);
const pathsOf = ({ results }: Answer): string[] => [...new Set(results.map(({ path }) => path))].sort();
const noEncoder = /^Words alone answer: the workspace has no encoder yet; l3prune index --model M gives it one\.$/;

describe('search', () => {
  it('makes the words of an index that is not there yet, answers by them, and says what would find more', async () => {
    const { stdout, stderr, code } = await search(['retry', 'a', 'request']);
    expect({ stdout, stderr, code }).toEqual({
      stdout: `retry.py:1  retry_request
  1  def retry_request(times):
  2      """Sends a failed request again, later each time."""
  3      for attempt in range(times):
  4          print(attempt)

docs/guide.md:5  Guide > Retry
  5  ## Retry
  6  
  7  Failed requests are sent again with exponential backoff.

Words alone answer: the workspace has no encoder yet; l3prune index --model M gives it one.
3 files, 5 chunks.
`,
      stderr: '',
      code: 0,
    });
  });

  it('gives one document with places, symbols, scores, snippets and how much of the workspace it saw', async () => {
    const answer = await answered('--limit', '1', 'parseAddress');
    expect(answer).toMatchObject({
      results: [{ path: 'src/addresses.ts', language: 'typescript', kind: 'function', startLine: 1, endLine: 4, symbol: 'parseAddress', snippet: files['src/addresses.ts']!.split('\n').slice(0, 4).join('\n'), isChanged: false }],
      index: { files: 3, chunks: 5, semanticShare: 0, isWhole: true },
      notes: [expect.stringMatching(noEncoder)],
    });
    expect(answer.results[0]!.score).toBeGreaterThan(0);
  });

  it('finds what has changed since, in a look before it answers', async () => {
    await index();
    await cli.write('ws/zebra.py', 'def zebra():\n    return 1\n');
    expect(placesOf(await answered('zebra'))).toEqual(['zebra.py:1-2']);
  });

  it('with --no-update shows no file that is gone, and says of one that has changed that it has', async () => {
    await index();
    await rm(cli.path('ws/docs/guide.md'));
    await writeFile(cli.path('ws/retry.py'), `# moved\n${files['retry.py']}`);
    expect(await answered('--no-update', 'retry')).toMatchObject({ results: [{ path: 'retry.py', isChanged: true }] });
    expect((await search(['--no-update', 'retry'])).stdout).toMatch(/^retry\.py:1 {2}retry_request \(changed since it was indexed\)\n/);
  });

  it('takes as many as --limit', async () => {
    expect(placesOf(await answered('--limit', '1', 'retry'))).toHaveLength(1);
    expectFailure(await search(['--limit', '0', 'retry']), 'USAGE', /whole number from 1 to 1000/);
  });

  it('takes what is in a language, at a path, of a kind', async () => {
    expect(pathsOf(await answered('--language', 'Python,go', 'retry'))).toEqual(['retry.py']);
    expect(pathsOf(await answered('--path', 'docs', 'retry'))).toEqual(['docs/guide.md']);
    expect(pathsOf(await answered('--path', '*.md', '--path', 'src/**', '--', 'retry address'))).toEqual(['docs/guide.md', 'src/addresses.ts']);
    expect((await answered('--kind', 'class, section', 'retry value')).results.map(({ kind }) => kind).sort()).toEqual(['class', 'section']);
    expectFailure(await search(['--kind', 'poem', 'retry']), 'USAGE', /It has to be some of function, method/);
  });

  it('says of a filter that nothing can match why nothing was found', async () => {
    expect(await answered('--language', 'pyton', 'retry')).toMatchObject({ results: [], notes: expect.arrayContaining(['No file is in pyton: there are markdown, python, typescript.']) });
    expect(await answered('--path', 'lib/**', 'retry')).toMatchObject({ results: [], notes: expect.arrayContaining([expect.stringMatching(/^No file matches lib\/\*\*: /)]) });
  });

  it('prints names and code with what a terminal would obey escaped', async () => {
    await cli.write('ws/a\u001b[31m\nb.py', 'def zebra():\n    return "\u202e"\n');
    const { stdout } = await search(['zebra']);
    expect(stdout).toContain('a\\u001b[31m\\u000ab.py:1  zebra\n');
    expect(stdout).toContain('return "\\u202e"');
    // oxlint-disable-next-line no-control-regex
    expect(stdout.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u202e]/);
  });

  it.skipIf(!existsSync('/usr/bin/script') && (skipBecause('`script` is not installed: colours of a terminal are not tested.'), true))('has colour on a terminal alone, and not with NO_COLOR', async () => {
    const shell = 'exec script -qec "$(printf "%q " "$@")" /dev/null';
    expect((await search(['retry'], { shell, env: { TERM: 'xterm' } })).stdout).toContain('\u001b[36mretry.py:1\u001b[39m');
    expect((await search(['retry'], { shell, env: { TERM: 'xterm', NO_COLOR: '1' } })).stdout).not.toContain('\u001b[36m');
    expect((await search(['retry'])).stdout).not.toContain('\u001b[');
  });

  it('answers while another process keeps the index up to date', async () => {
    const { child, ended } = cli.start(['index', '--workspace', 'ws', '--watch', '--json']);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    expect(placesOf(await answered('retry_request'))).toContain('retry.py:1-4');
    child.kill('SIGINT');
    await ended;
  });
});

describe('search with an encoder', () => {
  beforeEach(() => index('--model', LLAMA));

  it('answers by words, by meaning and by both', async () => {
    const semantic = await answered('--mode', 'semantic', 'how is a value kept');
    expect(semantic.results).toHaveLength(5);
    expect(semantic).toMatchObject({ index: { encoder: 'model', semanticShare: 1 }, notes: [] });
    expect(placesOf(await answered('--mode', 'lexical', 'retry_request'))[0]).toBe('retry.py:1-4');
    const hybrid = await answered('retry_request');
    expect(placesOf(hybrid).sort()).toEqual(placesOf(semantic).sort());
    expect(placesOf(hybrid)[0]).toBe('retry.py:1-4');
  });

  it('finds what is like other code, and not that code: lines, a line or all of a file, from here or from the workspace', async () => {
    await cli.write('ws/copy.py', files['retry.py']!.replace('attempt', 'time').replace('attempt', 'time'));
    await index();
    for (const place of ['ws/retry.py:1-4', 'ws/retry.py', 'retry.py:1', cli.path('ws/retry.py')]) {
      const found = placesOf(await answered('--similar', place));
      expect(found).toHaveLength(5);
      expect(found).toContain('copy.py:1-4');
      expect(found).not.toContain('retry.py:1-4');
    }
    expectFailure(await search(['--similar', 'ws/retry.py:90-99']), 'USAGE', /holds no code/);
    expectFailure(await search(['--similar', 'ws/retry.py:3-2']), 'USAGE', /holds no code/);
    expectFailure(await search(['--similar', 'ws/nothing.py']), 'NOT_FOUND', /ws\/nothing\.py cannot be read/);
    expectFailure(await search(['--similar', 'ws/retry.py', 'retry']), 'USAGE', /not both/);
  });

  it('says how much can be found by its meaning while vectors are missing', async () => {
    await cli.write('ws/later.py', 'def later():\n    return 1\n');
    expect(await answered('later')).toMatchObject({ results: expect.arrayContaining([expect.objectContaining({ path: 'later.py' })]), notes: ['Semantic results for 75 % of the files.'] });
  });

  it('answers by words where the model is gone or has changed, and says so', async () => {
    await cli.model('mine');
    await index('--model', 'mine', '--layers', '2');
    await rename(cli.path('mine'), cli.path('moved'));
    const found = await answered('retry');
    expect(pathsOf(found)).toEqual(['docs/guide.md', 'retry.py']);
    expect(found.notes).toEqual([expect.stringMatching(/^Words alone answer: There is no model /)]);
    await cli.model('mine', (folder) => writeFile(join(folder, 'model.safetensors'), 'no weights'));
    expect((await answered('--mode', 'semantic', 'retry')).notes).toEqual([expect.stringMatching(/^Words alone answer: .*model\.safetensors/)]);
    await rm(cli.path('mine'), { recursive: true });
    await cli.run(['prune', '--model', LLAMA, '--layers', '3', '--out', 'mine']);
    expect((await answered('retry')).notes).toEqual([`Words alone answer: ${cli.path('mine')} has changed since the workspace was indexed with it: run l3prune index --model ${cli.path('mine')}.`]);
  });
});

describe('a query', () => {
  it('that is empty is said to be', async () => {
    expectFailure(await search([]), 'USAGE', /The query is empty/);
    expectFailure(await search(['', ' \t\n']), 'USAGE', /The query is empty/);
  });

  it('of whatever has an answer', async () => {
    await index('--model', LLAMA, '--layers', '1');
    for (const query of ['?!, …', 'AND OR NOT', 'NEAR("retry" *, ^2) - path:', '重试失败的请求', '👩‍👩‍👧', 'retry the request '.repeat(5600)]) {
      const ran = await search(['--json', '--', query]);
      expect(ran.stderr).toBe('');
      expect(documentOf<Answer>(ran).results.length).toBeGreaterThan(0);
    }
  });

  it('of a workspace that is none is said in one sentence', async () => {
    expectFailure(await cli.run(['search', '--workspace', 'nowhere', 'a']), 'NOT_FOUND', /The workspace nowhere cannot be opened/);
    expectFailure(await cli.run(['search', '--workspace', 'ws/retry.py', 'a']), 'NOT_FOUND', /is a file: name a folder/);
  });

  it('of an index that is not there, and is not to be made, is said in one sentence', async () => {
    await cli.write('other/a.py', 'pass\n');
    expectFailure(await cli.run(['search', '--workspace', 'other', '--no-update', 'a']), 'NOT_FOUND', /There is no index of this workspace yet: run l3prune index/);
  });

  it.each([
    [['--path', 'src/('], /The glob "src\/\(" holds a group/],
    [['--path', ''], /The glob "" is empty/],
    [['--path', '!src'], /The filter !src says what is not wanted/],
    [['--path', '../*'], /leads out of the folder/],
    [Array.from({ length: 51 }, () => '--path=a'), /up to 50 globs/],
  ])('with a filter that is none is said in one sentence: %#', async (filter, sentence) => {
    expectFailure(await search([...filter, '--', 'retry']), 'USAGE', sentence);
  });
});
