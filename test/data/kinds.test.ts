import { spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { normalizedFunctionHash } from '../../src/data/code-text.ts';
import { mine, type MineResult } from '../../src/data/mine.ts';
import type { MineOptions } from '../../src/data/mine/context.ts';
import { functionHashes } from '../../src/data/mine/exclude.ts';
import { readHistory } from '../../src/data/mine/git-log.ts';
import { MINED_INSTRUCTIONS, type MinedTriplet, type MineKind } from '../../src/data/mine/triplet.ts';
import { skipBecause } from '../skips.ts';

const hasGit = spawnSync('git', ['--version']).status === 0;
if (!hasGit) skipBecause('No commit is mined: git is not on this machine.');

let workspace: string;
beforeEach(async () => {
  workspace = await mkdtemp(path.join(tmpdir(), 'l3prune-kinds-'));
});
afterEach(() => rm(workspace, { recursive: true, force: true }));

const put = async (name: string, content: string): Promise<string> => {
  await mkdir(path.dirname(path.join(workspace, name)), { recursive: true });
  await writeFile(path.join(workspace, name), content);
  return path.join(workspace, name);
};
const git = (...args: string[]): string => {
  const identity = ['-c', 'user.name=A', '-c', 'user.email=a@example.org', '-c', 'commit.gpgSign=false', '-c', 'core.hooksPath=/dev/null'];
  const ran = spawnSync('git', ['-C', workspace, ...identity, ...args], { encoding: 'utf8', env: { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' } });
  expect(ran.status, ran.stderr).toBe(0);
  return ran.stdout;
};
const commit = async (message: string, files: Readonly<Record<string, string>>): Promise<void> => {
  for (const [name, content] of Object.entries(files)) await put(name, content);
  git('add', '-A');
  git('commit', '-q', '-m', message);
};
const run = async (options: Partial<MineOptions> = {}): Promise<MineResult> => {
  const mining = mine(workspace, { limit: 1000, seed: 42, ...options });
  for (;;) {
    const step = await mining.next();
    if (step.done) return step.value;
  }
};
const ofKind = (result: MineResult, kind: MineKind): readonly MinedTriplet[] => result.triplets.filter((row) => row.kind === kind);

const urls = `class UrlReader:
    def split_address(self, address, keep_query):
        scheme, rest = address.split("://")
        host = rest.split("/")[0]
        return scheme, host

    def join_parts(self, parts):
        """Puts the parts of an address together again."""
        # puts parts of the address together
        # each is quoted
        text = "/".join(parts)
        quoted = text.strip()
        return quoted

def measure_width(letters, font):
    total = 0
    for letter in letters:
        total += font.width(letter)
    return total
`;
const urlTests = `from urls import UrlReader, measure_width

def test_measure_width_adds_up_each_letter():
    assert measure_width("ab", None) == 2
`;

describe('the kinds of pairs', () => {
  test('are a comment, a test, and a name in words, each with its instruction and one for each function', async () => {
    await put('urls.py', urls);
    await put('tests/test_urls.py', urlTests);
    const { triplets } = await run();
    expect(triplets.map(({ kind, query, symbol }) => [kind, query, symbol]).sort()).toEqual([
      ['doc', 'Puts the parts of an address together again', 'UrlReader.join_parts'],
      ['name', 'split address in url reader given keep query', 'UrlReader.split_address'],
      ['test', 'measure width adds up each letter', 'measure_width'],
    ]);
    for (const { kind, instruction } of triplets) expect(instruction).toBe(MINED_INSTRUCTIONS[kind]);
  });

  test('can be chosen', async () => {
    await put('urls.py', urls);
    expect((await run({ kinds: ['doc'] })).triplets.map(({ kind }) => kind)).toEqual(['doc']);
    expect(new Set((await run({ kinds: ['name'] })).triplets.map(({ kind }) => kind))).toEqual(new Set(['name']));
  });

  test.skipIf(!hasGit)('are a commit and the one function that it is about', async () => {
    git('init', '-q');
    await commit('Begin', { 'urls.py': urls });
    await commit('fix(urls): measure wide letters twice (#12)', { 'urls.py': urls.replace('total += font.width(letter)', 'total += 2 * font.width(letter) if letter.isWide() else font.width(letter)') });
    await commit('chore: change the width of everything', { 'urls.py': `${await readFile(path.join(workspace, 'urls.py'), 'utf8')}\n` });
    const rows = ofKind(await run(), 'commit');
    expect(rows.map(({ query, symbol }) => [query, symbol])).toEqual([['measure wide letters twice', 'measure_width']]);
    expect(rows[0]?.positive).toContain('2 * font.width');
  });
});

describe('what would give the answer away', () => {
  test('is stripped: comments that say what the query says, the docstring, and a name that is asked for', async () => {
    await put('urls.py', urls);
    const result = await run();
    const [doc] = ofKind(result, 'doc');
    expect(doc?.positive).toBe('def join_parts(self, parts):\n    text = "/".join(parts)\n    quoted = text.strip()\n    return quoted');
    for (const { positive, negatives } of ofKind(result, 'name')) for (const code of [positive, ...negatives]) expect(code).toMatch(/^def f\(/);
  });

  test('stays where it is asked to: --keep-names', async () => {
    await put('urls.py', urls);
    const names = ofKind(await run({ keepNames: true }), 'name').map(({ positive }) => positive.split('(')[0]);
    expect(names).toContain('def split_address');
  });
});

describe('what is left out', () => {
  test('are secrets, in whatever row they would stand', async () => {
    const key = `AKIA${'ABCDEFGH12345678'}`;
    await put('urls.py', `${urls}\ndef sign_request(request, moment):\n    """Signs a request with the key of this machine."""\n    key = "${key}"\n    signed = key + request\n    return signed\n`);
    const result = await run({ negatives: 5 });
    expect(JSON.stringify(result.triplets)).not.toContain(key);
    expect(result.skipped).toMatchObject({ 'looks like a secret': 1 });
  });

  test('are functions of data that is measured with, of source folders too, with what is around and inside of them', async () => {
    await put('code/urls.py', `${urls}\ndef outer_layer(walls, paint):\n    """Paints the walls of every room in turn."""\n    def measure_width(letters, font):\n        total = 0\n        for letter in letters: total += font.width(letter)\n        return total\n    return measure_width(walls, paint)\n`);
    const kept = { code: 'def width(letters, font):\n  total = 0\n  for letter in letters:\n    total += font.width(letter) # the letter\n  return total', language: 'Python' };
    const data = await put('kept.jsonl', `${JSON.stringify(kept)}\n`);
    await put('sources/lib/a.py', 'def joined(parts):\n    text = "/".join(parts)\n    quoted = text.strip()\n    return quoted\n');
    const exclude = await functionHashes([data, path.join(workspace, 'sources')]);
    workspace = path.join(workspace, 'code');
    const result = await run({ exclude, negatives: 5, kinds: ['doc', 'name'], keepNames: true });
    workspace = path.dirname(workspace);
    expect(result.skipped).toMatchObject({ 'excluded function': 4 });
    const codes = result.triplets.flatMap(({ positive, negatives }) => [positive, ...negatives]);
    expect(codes.filter((code) => exclude.has(normalizedFunctionHash(code, 'python')))).toEqual([]);
    await expect(functionHashes([await put('empty/readme.md', 'words').then(path.dirname)])).rejects.toMatchObject({ code: 'BAD_DATA' });
    await expect(functionHashes([await put('bad.jsonl', '{"query":"x"}\n')])).rejects.toMatchObject({ code: 'BAD_DATA' });
    await expect(functionHashes([path.join(workspace, 'none')])).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('is counted where a file cannot be read', async () => {
    await put('urls.py', urls);
    await chmod(await put('closed.py', urls), 0);
    const result = await run();
    if (process.getuid?.() === 0) expect(result.skipped).toMatchObject({ 'same body seen before': 3 });
    else expect(result.skipped).toMatchObject({ 'unreadable file': 1 });
  });
});

describe('the split', () => {
  const many = async (): Promise<void> => {
    for (let i = 0; i < 40; i++) {
      const [a, b, c, d, e] = ['r', 's', 't', 'v', 'w'].map((end) => `${'bcdfghjklmnpqrstvwxz'[i % 20]}${i < 20 ? 'a' : 'o'}l${end}o`);
      await put(`m${i}.py`, `def ${a}(${b}):\n    """${a} ${b} ${c} ${d} ${e}."""\n    ${c} = ${d}(${b})\n    ${e} = ${c} + 1\n    return ${e}\n\n${urls}`);
    }
  };

  test('is by file, and neither a query nor a body stands on both sides', async () => {
    await many();
    const { triplets, heldOut } = await run({ heldOutShare: 0.3, negatives: 3 });
    const texts = (rows: readonly MinedTriplet[]): Set<string> => new Set(rows.flatMap(({ query, positive, negatives }) => [query, positive, ...negatives]));
    expect(heldOut.length).toBeGreaterThan(5);
    expect(triplets.length).toBeGreaterThan(15);
    expect([...texts(heldOut)].filter((text) => texts(triplets).has(text))).toEqual([]);
    const filesOf = (rows: readonly MinedTriplet[]): Set<string> => new Set(rows.map((row) => row.path));
    expect([...filesOf(heldOut)].filter((file) => filesOf(triplets).has(file))).toEqual([]);
  });

  test('of a file stays when others come', async () => {
    await many();
    const before = (await run({ heldOutShare: 0.3 })).heldOut.map((row) => row.path);
    await put('another.py', 'def more_of_it(it):\n    """Gives more of whatever there was."""\n    a = it\n    b = a\n    return b\n');
    expect((await run({ heldOutShare: 0.3 })).heldOut.map((row) => row.path)).toEqual(expect.arrayContaining(before.filter((file) => file !== 'another.py')));
  });
});

describe.skipIf(!hasGit)("a repository that nobody trusts", () => {
  test('has its history read, and runs nothing that it configures', async () => {
    git('init', '-q');
    await commit('Begin with the reader of addresses', { 'urls.py': urls, '.gitattributes': '*.py diff=evil filter=evil\n' });
    await commit('Measure wide letters twice', { 'urls.py': urls.replace('total += font', 'total += 2 * font') });
    const ran = path.join(workspace, 'ran');
    const script = await put('evil.sh', `#!/bin/sh\necho "$0" >> ${ran}\ncat\n`);
    await chmod(script, 0o755);
    const config: readonly (readonly [string, string])[] = [
      ['core.fsmonitor', script], ['core.pager', script], ['pager.log', script], ['diff.external', script], ['diff.evil.command', script], ['diff.evil.textconv', script],
      ['filter.evil.clean', script], ['filter.evil.smudge', script], ['filter.evil.process', script], ['core.sshCommand', script], ['core.editor', script], ['gpg.program', script],
      ['log.showSignature', 'true'], ['core.hooksPath', workspace], ['credential.helper', script], ['alias.log', `!${script}`], ['core.alternateRefsCommand', script],
      ['remote.origin.url', `ext::${script}`], ['remote.origin.promisor', 'true'], ['extensions.partialClone', 'origin'], ['color.ui', 'always'], ['diff.noprefix', 'true'],
      ['diff.mnemonicPrefix', 'true'], ['diff.orderFile', path.join(workspace, 'evil.sh')], ['format.pretty', 'raw'], ['log.follow', 'true'], ['diff.context', '50'], ['core.quotePath', 'true'],
    ];
    await mkdir(path.join(workspace, '.git/hooks'), { recursive: true });
    for (const hook of ['post-index-change', 'pre-commit', 'reference-transaction', 'fsmonitor-watchman']) {
      await writeFile(path.join(workspace, '.git/hooks', hook), `#!/bin/sh\necho hook >> ${ran}\n`, { mode: 0o755 });
    }
    for (const [name, value] of config) git('config', name, value);
    const { commits, problem } = await readHistory(workspace);
    expect(problem).toBeUndefined();
    expect(commits.map(({ subject, files }) => [subject, files.map((file) => file.path)])).toEqual([
      ['Measure wide letters twice', ['urls.py']],
      ['Begin with the reader of addresses', ['urls.py']],
    ]);
    await expect(readFile(ran)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(ofKind(await run(), 'commit').map(({ query }) => query)).toEqual(['Measure wide letters twice']);
    await expect(readFile(ran)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('that lacks objects is read as far as it goes, and fetches none', async () => {
    git('init', '-q');
    await commit('Begin with the reader of addresses', { 'urls.py': urls });
    await commit('Measure wide letters twice', { 'urls.py': urls.replace('total += font', 'total += 2 * font') });
    const blob = git('rev-parse', 'HEAD~1:urls.py').trim();
    await rm(path.join(workspace, '.git/objects', blob.slice(0, 2), blob.slice(2)));
    git('config', 'remote.origin.url', `ext::sh -c 'touch ${path.join(workspace, 'ran')}'`);
    git('config', 'protocol.ext.allow', 'always');
    git('config', 'remote.origin.promisor', 'true');
    git('config', 'extensions.partialClone', 'origin');
    expect((await readHistory(workspace)).problem).toBe('no history: git refused to read it');
    await expect(readFile(path.join(workspace, 'ran'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('gives nothing of commits that change too much, and no history where there is none', async () => {
    expect(await readHistory(workspace)).toEqual({ commits: [], problem: 'no history: not a git repository' });
    await put('.git/HEAD', 'nonsense');
    expect((await readHistory(workspace)).commits).toEqual([]);
    await rm(path.join(workspace, '.git'), { recursive: true });
    git('init', '-q');
    await commit('Add many lines at once', { 'a.py': 'x = 1\n'.repeat(1000) });
    await commit('Add many files at once', Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`f${i}.py`, `y${i} = 1\n`])));
    expect(await readHistory(workspace)).toEqual({ commits: [] });
  });

  test('is left alone when it is cancelled', async () => {
    await expect(readHistory(workspace, AbortSignal.abort())).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});
