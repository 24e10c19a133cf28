import { cp, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { mine, type MineProgress, type MineResult } from '../../src/data/mine.ts';
import { MINED_INSTRUCTIONS, writeTriplets } from '../../src/data/mine/triplet.ts';
import { findPackages } from '../../src/data/packages.ts';
import { readTriplets } from '../../src/data/read.ts';
import { collectFunctions } from '../../src/data/sources.ts';

const fixture = fileURLToPath(new URL('../fixtures/mine/', import.meta.url));

let home: string;
let workspace: string;
/** The fixture under the names that git would not let it have in this repository. */
beforeEach(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'l3prune-mine-'));
  workspace = path.join(home, 'workspace');
  await cp(path.join(fixture, 'workspace'), workspace, { recursive: true });
  await rename(path.join(workspace, 'gitignore'), path.join(workspace, '.gitignore'));
  await cp(path.join(fixture, 'dependencies'), path.join(workspace, 'node_modules'), { recursive: true });
});
afterEach(() => rm(home, { recursive: true }));

const put = async (name: string, content: string | Uint8Array): Promise<void> => {
  await mkdir(path.dirname(path.join(workspace, name)), { recursive: true });
  await writeFile(path.join(workspace, name), content);
};
const run = async (options: { limit?: number; seed?: number; signal?: AbortSignal } = {}) => {
  const steps: MineProgress[] = [];
  const mining = mine(workspace, { limit: 1000, seed: 42, ...options });
  for (;;) {
    const step = await mining.next();
    if (step.done) return { steps, result: step.value };
    steps.push(step.value);
  }
};
const summary = ({ triplets }: MineResult): string[] =>
  triplets.map((triplet) => `${triplet.package} ${triplet.path}:${triplet.line} ${triplet.query} | ${triplet.negatives[0]?.split('\n')[0]}`).sort();

describe('mine', () => {
  test('pairs the first sentence of a comment with its function, against another function of the package', async () => {
    const { result } = await run();
    expect(summary(result)).toEqual([
      '@scope/pair lib/pair.ts:2 Exchanges the two halves of a pair, leaving the original alone | export function firstOf<A>(pair: readonly [A, unknown]): A {',
      'fixture-workspace src/queue.ts:18 Takes the oldest item off the front of the queue, e.g. the one put first | put(item: T): number {',
      'fixture-workspace src/queue.ts:7 Puts an item at the end of the queue | export const joinLines = (lines) => {',
      'fixture-workspace src/text.js:5 Splits a text into lines, whatever their ends are | export const joinLines = (lines) => {',
      'stack index.js:15 Looks at the value on top of the stack without taking it | exports.push = function push(stack, value) {',
      'stack index.js:6 Pushes a value on top of the given stack | exports.peek = function (stack) {',
    ]);
    expect(result.triplets.find(({ query }) => query.startsWith('Splits'))).toEqual({
      query: 'Splits a text into lines, whatever their ends are',
      positive:
        "export function splitLines(text) {\n  const normal = text.replaceAll('\\r\\n', '\\n');\n  const lines = normal.split('\\n');\n  return lines;\n}",
      negatives: [
        "export const joinLines = (lines) => {\n  const separator = '\\n';\n  const text = lines.join(separator);\n  return text;\n};",
      ],
      instruction: MINED_INSTRUCTIONS.doc,
      kind: 'doc',
      language: 'javascript',
      package: 'fixture-workspace',
      path: 'src/text.js',
      line: 5,
      symbol: 'splitLines',
    });
  });

  test('says what it found and what it left out, by reason', async () => {
    const { result } = await run();
    expect(result.found).toEqual([
      { kind: 'doc', language: 'typescript', count: 3, heldOut: 0 },
      { kind: 'doc', language: 'javascript', count: 3, heldOut: 0 },
    ]);
    expect(result).toMatchObject({ packages: 4, files: 8, filesDone: 8 });
    expect(result.skipped).toEqual({
      'ignored by git': 2, // build/ and ignored.gen.ts
      'declarations only': 1,
      minified: 1,
      'body too short': 1, // countWords
      'sentence under 5 words': 1, // "Length."
      'function without documentation comment': 2, // joinLines and firstOf
      'same body seen before': 2, // the ES module build of stack
      'no other function in its package': 1, // lonely
      'name says too little': 9,
      'no history: not a git repository': 1,
    });
  });

  test('leaves out tests, and files that are generated, binary, minified, too large or not UTF-8', async () => {
    const code = '/** Adds the two numbers that it is given. */\nfunction add(a, b) {\n  const c = a + b;\n  const d = c;\n  return d;\n}\n';
    await put('src/a.test.js', code);
    await put('test/b.js', code);
    await put('src/c.js', `// Code generated by a tool. DO NOT EDIT.\n${code}`);
    await put('src/d.js', `${code}\0`);
    await put('src/e.js', `${code}const x = [${'1,'.repeat(2000)}];`);
    await put('src/map.js', `const short = 1;\n//# sourceMappingURL=data:application/json;base64,${'A'.repeat(5000)}\n`); // No line of the code itself.
    await put('src/f.js', `${code}${'// more\n'.repeat(150_000)}`);
    await put('src/g.js', Buffer.concat([Buffer.from(code), Buffer.from([0xff])]));
    const { result } = await run();
    expect(result.triplets).toHaveLength(6);
    expect(result.skipped).toMatchObject({ generated: 1, binary: 1, minified: 2, 'larger than 1 MB': 1, 'not UTF-8': 1 });
  });

  test('is the same for the same files and seed', async () => {
    const first = await run({ limit: 4 });
    expect((await run({ limit: 4 })).result).toEqual(first.result);
    expect(first.result.triplets).toHaveLength(4);
  });

  test('takes no more than half of a limit from the workspace, while the dependencies have some', async () => {
    const { result } = await run({ limit: 4 });
    expect(result.triplets.filter((triplet) => triplet.package === 'fixture-workspace')).toHaveLength(2);
    expect(result.skipped).toHaveProperty(["beyond the limit or its package's share"]);
  });

  test('tells how far it is, and never less than before', async () => {
    for (let i = 0; i < 60; i++) await put(`src/more${i}.js`, `function f${i}() {}`);
    const { steps, result } = await run();
    expect(steps[0]).toEqual({ filesDone: 0, files: 68, triplets: 0 });
    expect(steps.at(-1)).toEqual({ filesDone: 68, files: 68, triplets: result.triplets.length });
    expect(steps.length).toBeGreaterThan(3);
    for (const [i, step] of steps.entries()) if (i > 0) expect(step.filesDone).toBeGreaterThanOrEqual(steps[i - 1]!.filesDone);
  });

  test('stops when it is cancelled, and where there is no workspace', async () => {
    await expect(run({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'CANCELLED' });
    workspace = path.join(home, 'none');
    await expect(run()).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('writes what the reader reads', async () => {
    const { result } = await run();
    const file = path.join(home, 'mined.jsonl');
    await writeTriplets(file, result.triplets);
    const set = await readTriplets(file);
    expect(set.rejected).toEqual([]);
    expect(set.triplets[0]).toEqual({
      query: result.triplets[0]?.query,
      positive: result.triplets[0]?.positive,
      negatives: result.triplets[0]?.negatives,
      instruction: MINED_INSTRUCTIONS.doc,
    });
    expect((await readFile(file, 'utf8')).split('\n')).toHaveLength(7);
  });
});

describe('findPackages', () => {
  const names = async () => (await findPackages(workspace)).map(({ name }) => name);

  test('finds the workspace first, then what is installed', async () => {
    expect(await names()).toEqual(['fixture-workspace', '@scope/pair', 'lonely', 'stack']);
  });

  test('takes each name and version once, nested or not', async () => {
    await put('node_modules/lonely/node_modules/stack/package.json', '{ "name": "stack", "version": "2.0.0" }');
    await put('node_modules/lonely/node_modules/other/package.json', '{ "name": "stack", "version": "1.0.0" }');
    expect(await names()).toEqual(['fixture-workspace', '@scope/pair', 'lonely', 'stack', 'stack']);
  });

  test('follows links inside of node_modules and none out of it', async () => {
    await put('node_modules/.pnpm/linked@1/node_modules/linked/package.json', '{ "name": "linked", "version": "1.0.0" }');
    await symlink(path.join(workspace, 'node_modules/.pnpm/linked@1/node_modules/linked'), path.join(workspace, 'node_modules/linked'));
    await mkdir(path.join(home, 'outside'));
    await writeFile(path.join(home, 'outside/package.json'), '{ "name": "outside", "version": "1.0.0" }');
    await symlink(path.join(home, 'outside'), path.join(workspace, 'node_modules/outside'));
    await symlink(path.join(workspace, 'node_modules'), path.join(workspace, 'node_modules/loop'));
    expect(await names()).toEqual(['fixture-workspace', 'linked', '@scope/pair', 'lonely', 'stack']);
  });

  test('takes a broken package.json for no package, and a workspace without one by its folder', async () => {
    await put('node_modules/lonely/package.json', '{');
    await put('node_modules/stack/package.json', 'null');
    await rm(path.join(workspace, 'package.json'));
    expect(await names()).toEqual(['workspace', '@scope/pair']);
  });
});

describe('collectFunctions', () => {
  test('collects the workspace\'s own functions with their places', async () => {
    const { functions, files, skipped } = await collectFunctions(workspace);
    expect(functions.map((f) => `${f.path}:${f.startLine}-${f.endLine} ${f.qualifiedName}`)).toEqual([
      'src/queue.ts:7-11 Queue.put',
      'src/queue.ts:18-24 Queue.take',
      'src/queue.ts:27-31 Queue.length',
      'src/text.js:5-9 splitLines',
      'src/text.js:12-16 joinLines',
      'src/text.js:19-19 countWords',
    ]);
    expect(files).toBe(2);
    expect(skipped).toEqual({ 'ignored by git': 2 });
  });

  test('honours the .gitignore files of the repository above it, the deepest first', async () => {
    await put('.git/HEAD', '');
    await put('src/.gitignore', '*.out.ts\n');
    await put('src/deep/.gitignore', '!kept.out.ts\n');
    await put('src/deep/kept.out.ts', 'function kept() {}');
    await put('src/deep/left.out.ts', 'function left() {}');
    const { functions, skipped } = await collectFunctions(path.join(workspace, 'src/deep'));
    expect(functions.map(({ name }) => name)).toEqual(['kept']);
    expect(skipped).toEqual({ 'ignored by git': 1 });
  });

  test('enters no link and no hidden folder', async () => {
    await symlink(workspace, path.join(workspace, 'src/loop'));
    await put('.hidden/a.js', 'function hidden() {}');
    expect(await collectFunctions(workspace)).toMatchObject({ files: 2, skipped: { 'symbolic link': 1 } });
  });

  test('stops when it is cancelled', async () => {
    await expect(collectFunctions(workspace, AbortSignal.abort())).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});
