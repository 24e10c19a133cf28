import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { type Collected, collectPackages, type CollectOptions, type CollectProgress } from '../../../src/data/collect/collection.ts';
import type { Fetcher } from '../../../src/data/collect/fetch.ts';
import type { PackageRecord } from '../../../src/data/collect/folder.ts';
import { keyOf, type PackageName } from '../../../src/data/collect/package-list.ts';
import { normalizedFunctionHash } from '../../../src/data/code-text.ts';
import { readTriplets } from '../../../src/data/read.ts';
import { errors } from '../../../src/errors.ts';
import { useFolder } from '../../models/folder.ts';

const folder = useFolder();

/** A documented function whose words, but for two, are its own. */
const python = (name: string, sentence: string): string => {
  const [does, first, what] = sentence.toLowerCase().split(' ');
  return `def ${name}(${what}):\n    """${sentence}."""\n    ${first} = ${does}(${what})\n    ${name}_${what} = ${name}_of(${first})\n    return ${name}_${what}\n\n\n`;
};
/** A word for three numbers below 20. */
const word = (...numbers: readonly number[]): string => numbers.map((number) => `${'bcdfghjklmnpqrstvwxz'[number]}a`).join('');
const alpha = python('alpha', 'Counts red apples inside wooden baskets') + python('beta', 'Paints blue boats along quiet harbours') + python('gamma', 'Mows green grass around tall trees');
const delta = python('delta', 'Opens old doors behind stone walls') + python('epsilon', 'Mixes cold eggs into melted butter') + python('beta', 'Paints blue boats along quiet harbours');

interface Published {
  readonly files: Readonly<Record<string, string>>;
  readonly licence?: string;
}
let published: Record<string, Published>;
let fetched: string[];
beforeEach(() => {
  fetched = [];
  published = {
    'pypi:one': { files: { 'one/a.py': alpha }, licence: 'MIT' },
    'pypi:two': { files: { 'two/b.py': delta }, licence: 'BSD License' },
    'pypi:three': { files: { 'three/c.py': python('zeta', 'Bends zinc wires over copper coils') + python('eta', 'Sweeps empty halls under high roofs') }, licence: 'GPL-3.0-only' },
  };
});

const fetcher: Fetcher = async (wanted, target, { isExcluded }) => {
  const found = published[keyOf(wanted)];
  fetched.push(keyOf(wanted));
  if (found === undefined) throw errors.modelUnavailable(`no ${wanted.name} here.`);
  for (const [name, text] of Object.entries(found.files).filter(([name]) => !isExcluded(name))) {
    await mkdir(path.dirname(path.join(target, name)), { recursive: true });
    await writeFile(path.join(target, name), text);
  }
  return { directory: target, version: wanted.version ?? '1.0', licence: found.licence };
};

const name = (text: string): PackageName => ({ registry: 'pypi', name: text });
const collect = async (wanted: readonly PackageName[], options: Partial<CollectOptions> = {}): Promise<{ steps: CollectProgress[]; result: Collected }> => {
  const steps: CollectProgress[] = [];
  const running = collectPackages(wanted, folder.path('out'), { seed: 1, limit: 100, excludedPackages: [], fetcher, ...options });
  for (;;) {
    const step = await running.next();
    if (step.done) return { steps, result: step.value };
    steps.push(step.value);
  }
};
const rows = async (file = 'doc.jsonl'): Promise<Record<string, string>[]> =>
  (await readFile(folder.path('out', file), 'utf8')).trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, string>);

describe('mining packages that are fetched', () => {
  test('puts the rows of all together, a data set a kind, with what each package is and under which licence', async () => {
    const { result, steps } = await collect([name('one'), name('two')]);
    expect((await rows()).map(({ package: from, symbol }) => `${from} ${symbol}`).sort()).toEqual(['pypi:one alpha', 'pypi:one beta', 'pypi:one gamma', 'pypi:two delta', 'pypi:two epsilon']);
    expect(result.skipped).toMatchObject({ 'same body in another package': 1 });
    expect(result.found).toEqual([{ kind: 'doc', language: 'python', count: 5, heldOut: 0 }]);
    expect(
      (JSON.parse(await readFile(folder.path('out', 'packages.json'), 'utf8')) as PackageRecord[]).map(({ package: from, version, licence }) => [from, version, licence]),
    ).toEqual([
      ['pypi:one', '1.0', 'MIT'],
      ['pypi:two', '1.0', 'BSD License'],
    ]);
    expect((await readTriplets(folder.path('out'))).rejected).toEqual([]);
    expect(steps[0]).toEqual({ packagesDone: 0, packages: 2, rows: 0 });
    expect(steps.at(-1)).toEqual({ packagesDone: 2, packages: 2, rows: 6 });
  });

  test('goes on where it was stopped, with the very rows of one that was not', async () => {
    const running = collectPackages([name('one'), name('two')], folder.path('out'), { seed: 1, limit: 100, excludedPackages: [], fetcher });
    for (let step = await running.next(); !step.done && step.value.packagesDone < 1; ) step = await running.next();
    await running.return(undefined as never);
    fetched = [];
    await collect([name('one'), name('two')]);
    expect(fetched).toEqual(['pypi:two']);
    const resumed = await rows();
    await collect([name('one'), name('two')], { seed: 2, force: true });
    await collect([name('one'), name('two')], { force: true });
    expect(await rows()).toEqual(resumed);
  });

  test('refuses a package whose licence is not permissive, or that has none', async () => {
    published['pypi:four'] = { files: { 'd.py': alpha } };
    const { result } = await collect([name('one'), name('three'), name('four')]);
    expect(result.packages.map(({ package: from, refused }) => [from, refused])).toEqual([
      ['pypi:one', undefined],
      ['pypi:three', 'licence is not known to be permissive'],
      ['pypi:four', 'no licence'],
    ]);
    expect(new Set((await rows()).map(({ package: from }) => from))).toEqual(new Set(['pypi:one']));
  });

  test('never fetches a package that is excluded, and leaves out folders of its name in others', async () => {
    published['pypi:bundle'] = { files: { 'bundle/a.py': delta, 'bundle/one/a.py': alpha, 'bundle/copies/One/b.py': alpha }, licence: 'MIT' };
    const { result } = await collect([name('one'), name('bundle')], { excludedPackages: [name('one')] });
    expect(fetched).toEqual(['pypi:bundle']);
    expect(result.excluded).toEqual(['pypi:one']);
    expect((await rows()).map(({ path: file }) => file)).toEqual(['bundle/a.py', 'bundle/a.py', 'bundle/a.py']);
  });

  test('has no function that is kept to measure with, however it is laid out, as positive or negative', async () => {
    const kept = "def beta( boats, ):\n    # Differently.\n    blue = paints( boats )\n\n    beta_boats = beta_of(blue);\n    return beta_boats\n";
    const exclude = new Set([normalizedFunctionHash(kept, 'python')]);
    const { result } = await collect([name('one'), name('two')], { exclude, negatives: 3 });
    const hashes = (await rows()).flatMap(({ positive, negative }) => [positive, negative].flat()).map((code) => normalizedFunctionHash(code as string, 'python'));
    expect(hashes.length).toBeGreaterThan(4);
    expect(hashes.filter((hash) => exclude.has(hash))).toEqual([]);
    expect(result.skipped).toMatchObject({ 'excluded function': 2 });
  });

  test('has no body and no query of what is held out among what is trained on, of whatever package', async () => {
    for (let i = 0; i < 20; i++) published[`pypi:p${i}`] = { files: Object.fromEntries(Array.from({ length: 4 }, (_, j) => [`m${i}-${j}.py`, python(word(i, j, 0), Array.from({ length: 6 }, (_, k) => word(i, j, k)).join(' ')) + alpha])), licence: 'MIT' };
    await collect(Array.from({ length: 20 }, (_, i) => name(`p${i}`)), { heldOutShare: 0.3 });
    const [train, held] = [await rows(), await rows('held-out/doc.jsonl')];
    const hashes = (from: Record<string, string>[]): Set<string> => new Set(from.flatMap(({ query, positive }) => [query as string, normalizedFunctionHash(positive as string, 'python')]));
    expect(held.length).toBeGreaterThan(10);
    expect(train.length).toBeGreaterThan(30);
    expect([...hashes(train)].filter((hash) => hashes(held).has(hash))).toEqual([]);
  });

  test('says which packages could not be fetched, and tries them again the next time', async () => {
    const { result } = await collect([name('one'), name('later')]);
    expect(result.failed).toEqual([{ package: 'pypi:later', reason: 'no later here.' }]);
    published['pypi:later'] = { files: { 'l.py': delta }, licence: 'MIT' };
    expect((await collect([name('one'), name('later')])).result.failed).toEqual([]);
    expect(fetched).toEqual(['pypi:one', 'pypi:later', 'pypi:later']);
  });

  test('says why where nothing was found', async () => {
    await expect(collect([name('none')])).rejects.toMatchObject({ code: 'BAD_DATA', message: 'None of 1 packages gave a row (no none here.).' });
    await expect(collect([name('three')])).rejects.toMatchObject({ code: 'BAD_DATA', message: expect.stringContaining('pypi:three: licence') as string });
    await expect(collect([name('one')], { excludedPackages: [name('one')], force: true })).rejects.toMatchObject({ code: 'BAD_DATA' });
  });

  test('keeps a folder to one set of settings, and to itself', async () => {
    await collect([name('one')]);
    await expect(collect([name('one')], { seed: 2 })).rejects.toMatchObject({ code: 'EXISTS', message: expect.stringContaining('other settings (seed)') as string });
    await mkdir(folder.path('mine'));
    await writeFile(folder.path('mine', 'thesis.tex'), 'years');
    const into = (target: string) => collectPackages([name('one')], folder.path(target), { seed: 1, limit: 9, excludedPackages: [], fetcher, force: true }).next();
    await expect(into('mine')).rejects.toMatchObject({ code: 'EXISTS' });
    await expect(into('mine/thesis.tex')).rejects.toMatchObject({ code: 'WRITE_FAILED' });
  });

  test('stops when it is cancelled, and leaves nothing behind that was fetched', async () => {
    await expect(collect([name('one'), name('two')], { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'CANCELLED' });
    await expect(readFile(folder.path('out', '.work', 'pypi-one', 'one/a.py'))).rejects.toMatchObject({ code: 'ENOENT' });
    expect((await collect([name('one')])).result.triplets).toHaveLength(3);
  });
});
