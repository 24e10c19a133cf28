import { mkdir } from 'node:fs/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { documentOf, expectFailure, LLAMA, names, useCli, type Ran } from './harness.ts';
import { writeWorkspace } from './workspace.ts';

const cli = useCli();
beforeEach(() => writeWorkspace(cli));

const evaluate = async (...args: string[]): Promise<Ran> => {
  await mkdir(cli.path('tmp'), { recursive: true });
  return cli.run(['eval', '--workspace', 'ws', '--queries', 'queries.json', '--model', LLAMA, '--threads', '1', ...args], { env: { TMPDIR: cli.path('tmp') } });
};
const writeQueries = (queries: unknown): Promise<string> => cli.write('queries.json', typeof queries === 'string' ? queries : JSON.stringify(queries));

const queries = [
  // One chunk holds both places: both are found at the first rank.
  { id: '1', query: 'parse an address', relevant: [{ path: 'src/addresses.ts', startLine: 1, endLine: 1 }, { path: 'src/addresses.ts', startLine: 3, endLine: 4 }] },
  // Found first, and not at all: the words of the query are nowhere else.
  { id: '2', query: 'retry_request', relevant: [{ path: 'retry.py', startLine: 2, endLine: 2 }, { path: 'gone.py', startLine: 1, endLine: 1 }] },
];

interface Evaluation {
  readonly queries: number;
  readonly files: number;
  readonly chunks: number;
  readonly missing: number;
  readonly systems: ReadonlyArray<{ readonly model?: string; readonly mode: string; readonly metrics: Readonly<Record<string, number>>; readonly overWords?: object }>;
}

describe('eval --workspace', () => {
  it('measures words, vectors and both, each against words alone', async () => {
    await writeQueries(queries);
    const evaluation = documentOf<Evaluation>(await evaluate('--layers', '2', '--json'));
    expect(evaluation).toMatchObject({ workspace: 'ws', queries: 2, files: 3, chunks: 5, missing: 1 });
    expect(evaluation.systems.map(({ model, mode }) => [model, mode])).toEqual([
      [undefined, 'lexical'],
      ['model, 2 layers', 'semantic'],
      ['model, 2 layers', 'hybrid'],
    ]);
    const [words, ...others] = evaluation.systems;
    // nDCG of the first: both at rank 1 over both at ranks 1 and 2, which is above 1; of the second: one at rank 1 of two.
    const ideal = 1 + 1 / Math.log2(3);
    expect(words!.metrics).toMatchObject({ queries: 2, mrrAt10: 1, recallAt1: 3 / 4, recallAt10: 3 / 4, recallAt100: 3 / 4 });
    expect(words!.metrics['ndcgAt10']).toBeCloseTo((2 / ideal + 1 / ideal) / 2, 12);
    expect(words!.overWords).toBeUndefined();
    for (const { overWords } of others) expect(overWords).toMatchObject({ mrrAt10: { mean: expect.any(Number), low: expect.any(Number), high: expect.any(Number) }, ndcgAt10: expect.anything() });
  });

  it('says the same to a person, and leaves neither an index nor a folder behind', async () => {
    await writeQueries(queries);
    const { stdout, code } = await evaluate('--layers', '1');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ +MRR@10 +nDCG@10 .*\nwords alone +1\.000 .*\nmodel, 1 layer, semantic .*\nmodel, 1 layer, hybrid .*\n\n2 queries over 5 chunks of 3 files\n1 file that answers queries is not indexed: no search finds it\n$/);
    expect(await names(cli.path('home', 'indexes'))).toEqual([]);
    expect(await names(cli.path('tmp'))).toEqual([]);
  });

  it.each<[string, unknown, RegExp]>([
    ['no JSON', '{"id": ', /queries\.json cannot be read/],
    ['no list', { id: '1' }, /has no queries of a workspace/],
    ['an empty list', [], /holds no query/],
    ['a query without places', [{ id: '1', query: 'a', relevant: [] }], /has no queries of a workspace/],
    ['a place without lines', [{ id: '1', query: 'a', relevant: [{ path: 'retry.py' }] }], /has no queries of a workspace/],
    ['a place that ends before it begins', [{ id: '1', query: 'a', relevant: [{ path: 'retry.py', startLine: 3, endLine: 2 }] }], /has no queries of a workspace/],
    ['places in files that are not indexed', [{ id: '1', query: 'a', relevant: [{ path: 'node_modules/left/index.js', startLine: 1, endLine: 1 }] }], /None of the files that answer the queries is indexed in ws, as node_modules\/left\/index\.js/],
  ])('refuses %s', async (_, content, sentence) => {
    await writeQueries(content);
    expectFailure(await evaluate(), 'BAD_DATA', sentence);
  });

  it('refuses what is not there, and half of what it takes', async () => {
    expectFailure(await evaluate(), 'NOT_FOUND', /The queries queries\.json cannot be read/);
    await writeQueries(queries);
    expectFailure(await cli.run(['eval', '--workspace', 'nowhere', '--queries', 'queries.json', '--model', LLAMA]), 'NOT_FOUND', /The workspace nowhere cannot be opened/);
    expectFailure(await cli.run(['eval', '--workspace', 'ws', '--model', LLAMA]), 'USAGE', /--workspace with --queries/);
  });
});
