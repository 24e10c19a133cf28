import { rename, rm, writeFile } from 'node:fs/promises';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { documentOf, expectFailure, LLAMA, names, snapshot, useCli, type Ran, type Started } from './harness.ts';
import { follow, writeWorkspace } from './workspace.ts';

const cli = useCli();
beforeEach(() => writeWorkspace(cli));

const index = (...args: string[]): Promise<Ran> => cli.run(['index', '--workspace', 'ws', ...args]);

interface Document {
  readonly workspace: string;
  readonly indexed: number;
  readonly unchanged: number;
  readonly removed: number;
  readonly chunks: number;
  readonly excluded: Readonly<Record<string, number>>;
  readonly vectors?: { readonly embedded: number; readonly encoder: { readonly model: string } };
}
const indexed = async (...args: string[]): Promise<Document> => documentOf(await index(...args, '--json'));

describe('index', () => {
  it('reads everything once, and then what is new', async () => {
    expect(await indexed()).toMatchObject({ workspace: cli.path('ws'), indexed: 3, unchanged: 0, removed: 0, excluded: { 'looks like a secret': 1, vendored: 1, 'ignored by git': 1 } });
    expect(await indexed()).toMatchObject({ indexed: 0, chunks: 0, unchanged: 3, removed: 0 });
    await cli.write('ws/more.py', 'def more():\n    return 1\n');
    await rm(cli.path('ws/retry.py'));
    await rename(cli.path('ws/docs'), cli.path('ws/papers'));
    expect(await indexed()).toMatchObject({ indexed: 2, unchanged: 1, removed: 2 });
  });

  it('says to a person what it did, what it left out and how the workspace is searched', async () => {
    const { stdout, code } = await index();
    expect(stdout).toMatch(/^3 files: 3 new or changed with \d chunks, 0 unchanged, 0 removed\.\nLeft out: 1 .*\.\nSearched by words alone: --model M adds an encoder\.\n\d+\.\d s\.\n$/);
    expect(code).toBe(0);
  });

  it('writes nothing into the workspace', async () => {
    const before = await snapshot(cli.path('ws'));
    await index('--model', LLAMA);
    expect(await snapshot(cli.path('ws'))).toEqual(before);
  });

  it('embeds what has no vector, and asks for the encoder once', async () => {
    const first = await indexed('--model', LLAMA);
    expect(first.vectors).toMatchObject({ embedded: first.chunks, encoder: { model: LLAMA } });
    expect((await indexed()).vectors).toMatchObject({ embedded: 0 });
    await cli.write('ws/retry.py', 'def again():\n    return 2\n');
    expect((await indexed()).vectors).toMatchObject({ embedded: 1 });
    expect((await index()).stdout).toContain('Nothing to embed: every chunk has its vector of model.');
  });

  it('finds its model again from another folder', async () => {
    await cli.model('mine');
    expect((await indexed('--model', 'mine')).vectors).toMatchObject({ encoder: { model: cli.path('mine') } });
  });

  it('keeps include and exclude globs until they are said anew', async () => {
    expect(await indexed('--include', '**/*.ts', '**/*.md', '--exclude', 'docs')).toMatchObject({ indexed: 1 });
    expect(await indexed()).toMatchObject({ indexed: 0, unchanged: 1 });
    expect(await indexed('--include', '**/*.py')).toMatchObject({ indexed: 1, removed: 1 });
    expect(await indexed('--no-include')).toMatchObject({ indexed: 1, unchanged: 1, excluded: { 'excluded by a glob': 1 } });
    expect(await indexed('--no-exclude', '--no-gitignore')).toMatchObject({ indexed: 2, unchanged: 2 });
    expect(await indexed('--gitignore')).toMatchObject({ indexed: 0, removed: 1 });
    expectFailure(await index('--exclude', 'src/('), 'USAGE');
    expect(await indexed()).toMatchObject({ indexed: 0, unchanged: 3 });
  });

  it('is cancelled by Ctrl-C with what is done kept, and goes on from there', async () => {
    await cli.write('ws/many.ts', Array.from({ length: 400 }, (_, i) => `export function number${i}(value: number): number {\n${`  value = value * ${i} + value;\n`.repeat(12)}  return value;\n}\n`).join('\n'));
    const { child, ended } = cli.start(['index', '--workspace', 'ws', '--model', LLAMA]);
    await expect.poll(() => names(cli.path('home', 'indexes')), { interval: 5, timeout: 30_000 }).toHaveLength(1);
    child.kill('SIGINT');
    expectFailure(await ended, 'CANCELLED');
    expect(await indexed('--model', LLAMA)).toMatchObject({ vectors: { encoder: { model: LLAMA } } });
  });

  it('reads larger files where that is asked for', async () => {
    await cli.write('ws/large.md', `# Large\n\n${'A line about nothing in particular.\n'.repeat(32_000)}`);
    expect(await indexed()).toMatchObject({ indexed: 3, excluded: { 'too large': 1 } });
    expect(await indexed('--most-bytes', '2000000')).toMatchObject({ indexed: 1, unchanged: 3 });
  });
});

describe('index --dry-run', () => {
  it('counts by language and folder, names what is left out with the reason, and makes no index', async () => {
    const { stdout, code } = await index('--dry-run');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^3 files, \d+ bytes, would be indexed\.\n/);
    expect(stdout).toMatch(/^typescript +1 +\d+ bytes$/m);
    expect(stdout).toMatch(/^docs +1 +\d+ bytes$/m);
    expect(stdout).toMatch(/^vendored +0 +1$/m);
    expect(stdout).toContain('  .env: looks like a secret\n');
    expect(stdout).toContain('  node_modules/: vendored\n');
    expect(await names(cli.path('home', 'indexes'))).toEqual([]);
  });

  it('gives the same as one document', async () => {
    expect(documentOf(await index('--dry-run', '--json'))).toMatchObject({
      workspace: cli.path('ws'),
      files: 3,
      languages: expect.arrayContaining([expect.objectContaining({ language: 'python', files: 1 })]),
      excluded: { files: 2, folders: 2, notListed: 0, list: expect.arrayContaining([{ path: 'ignored', isFolder: true, reason: 'ignored by git' }]) },
    });
  });

  it('goes by the globs that are kept, as the next run would, and keeps none itself', async () => {
    await index('--include', '**/*.py');
    expect(documentOf(await index('--dry-run', '--json'))).toMatchObject({ files: 1 });
    expect(documentOf(await index('--dry-run', '--json', '--include', '**/*.md', '**/*.py'))).toMatchObject({ files: 2 });
    expect(await indexed()).toMatchObject({ indexed: 0, unchanged: 1 });
  });

  it('prints names with what a terminal would obey escaped', async () => {
    await cli.write('ws/a\u001b[31m\n.env', 'TOKEN=1\n');
    const { stdout } = await index('--dry-run');
    expect(stdout).toContain('  a\\u001b[31m\\u000a.env: looks like a secret\n');
  });
});

describe('index of what is none', () => {
  it.each([
    ['a workspace that is not there', ['--workspace', 'nowhere'], 'NOT_FOUND', /The workspace nowhere cannot be opened/],
    ['a file', ['--workspace', 'ws/retry.py'], 'NOT_FOUND', /is a file: name a folder/],
    ['a model that is not there', ['--workspace', 'ws', '--model', 'nowhere'], 'NOT_FOUND', /There is no model nowhere/],
    ['a glob that is malformed', ['--workspace', 'ws', '--include', 'src/('], 'USAGE', /The glob "src\/\(" holds a group/],
    ['settings of an encoder that is not named', ['--workspace', 'ws', '--layers', '2'], 'USAGE', /are of an encoder: name its model/],
  ])('%s is said in one sentence', async (_, args, code, sentence) => {
    expectFailure(await cli.run(['index', ...args]), code, sentence);
  });
});

describe('index --watch', () => {
  /** Starts it and waits until nothing that changes escapes it. */
  async function watching(...args: string[]): Promise<Started & { readonly document: (isWanted: (document: Document) => boolean) => Promise<unknown>; readonly said: (pattern: RegExp) => Promise<unknown> }> {
    const started = cli.start(['index', '--workspace', 'ws', '--watch', '--json', ...args]);
    onTestFinished(() => void started.child.kill('SIGKILL'));
    const out = follow(started.child.stdout);
    const said = follow(started.child.stderr);
    const document = async (isWanted: (document: Document) => boolean): Promise<unknown> => {
      for (;;) {
        const found = JSON.parse((await out(/^.*\n/))[0]) as Document;
        if (isWanted(found)) return found;
      }
    };
    return { ...started, document, said };
  }

  it('picks up an edit, a new file, a deletion and another ignore file, and ends by Ctrl-C', async () => {
    const { child, ended, document, said } = await watching();
    await document(({ indexed }) => indexed === 3);
    await said(/Watching for changes\./);
    await writeFile(cli.path('ws/retry.py'), 'def again():\n    return 2\n');
    await document(({ indexed }) => indexed === 1);
    await cli.write('ws/deep/er/new.go', 'package er\n\nfunc New() int { return 1 }\n');
    await document(({ indexed }) => indexed === 1);
    await rm(cli.path('ws/docs'), { recursive: true });
    await document(({ removed }) => removed === 1);
    await writeFile(cli.path('ws/.gitignore'), 'deep/\n');
    await document(({ indexed, removed }) => indexed === 1 && removed === 1);
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ code: 0 });
  });

  it('ends with its standard input where that was asked for', async () => {
    const { child, ended, document } = await watching('--until-input-ends');
    await document(({ indexed }) => indexed === 3);
    child.stdin.end();
    expect(await ended).toMatchObject({ code: 0 });
  });

  it('has the index to itself: another says so, and one that watches waits for its turn', async () => {
    const first = await watching();
    await first.document(({ indexed }) => indexed === 3);
    expectFailure(await index(), 'BUSY', /Another process \(\d+\) keeps this workspace's index up to date/);
    const second = await watching();
    await second.said(/This one waits for its turn\./);
    first.child.kill('SIGINT');
    expect(await first.ended).toMatchObject({ code: 0 });
    await second.document(({ unchanged }) => unchanged === 3);
    second.child.kill('SIGINT');
    expect(await second.ended).toMatchObject({ code: 0 });
  });

  it('keeps the words up to date while the encoder that the workspace has is gone', async () => {
    await cli.model('mine');
    await index('--model', 'mine');
    await rename(cli.path('mine'), cli.path('moved'));
    await cli.write('ws/first.py', 'def first():\n    return 1\n');
    const { child, document, said } = await watching();
    await Promise.all([said(/Watching for changes\./), follow(child.stderr)(/There is no model .*mine.*\[NOT_FOUND\]/)]);
    await cli.write('ws/second.py', 'def second():\n    return 2\n');
    const found = async (): Promise<unknown> => documentOf(await cli.run(['search', '--workspace', 'ws', '--no-update', '--mode', 'lexical', '--json', 'second']));
    await expect.poll(found, { timeout: 30_000 }).toMatchObject({ results: [{ path: 'second.py' }] });
    await rename(cli.path('moved'), cli.path('mine'));
    await cli.write('ws/third.py', 'def third():\n    return 3\n');
    expect(await document(({ vectors }) => vectors !== undefined)).toMatchObject({ vectors: { encoder: { model: cli.path('mine') } } });
  });
});
