import { rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { WorkerClient, type RunningJob } from '../../src/extension/workerClient.ts';
import { closeIndex, indexProgress, indexStatus, searchCode, updateIndex, type IndexProgress, type IndexResult, type IndexStatus, type SearchAnswer, type SearchRequest, type UpdateIndexParams } from '../../src/protocol/search.ts';
import { LLAMA, useCli } from '../cli/harness.ts';
import { writeWorkspace } from '../cli/workspace.ts';

const cli = useCli();
const entry = fileURLToPath(new URL('../../dist/worker.mjs', import.meta.url));
let workspace: string;
beforeEach(async () => {
  workspace = await writeWorkspace(cli);
});

interface Worker {
  update(params?: Partial<UpdateIndexParams>, onProgress?: (progress: IndexProgress) => void): RunningJob<IndexResult>;
  search(query: string, changes?: Partial<SearchRequest>): Promise<SearchAnswer>;
  status(): Promise<IndexStatus>;
  close(): Promise<null>;
  end(): void;
}

/** A worker process of its own, with what is asked of it. */
function worker(): Worker {
  const env = { L3PRUNE_HOME: cli.path('home'), L3PRUNE_THREADS: '1', L3PRUNE_ENGINE: 'onnx' };
  const client = new WorkerClient({ entry, env: () => env, log: { info: () => undefined, warn: () => undefined }, idleMilliseconds: 60_000 });
  onTestFinished(() => client.dispose());
  return {
    update: (params = {}, onProgress = () => undefined) => client.startJob(updateIndex, { workspace, ...params }, { type: indexProgress, onProgress }),
    search: (query, changes = {}) => client.call(searchCode, { workspace, query, limit: 10, mode: 'hybrid', ...changes }),
    status: () => client.call(indexStatus, { workspace }),
    close: () => client.call(closeIndex, { workspace }),
    end: () => client.dispose(),
  };
}

/** Functions enough that embedding them takes a while. */
const many = (count: number): string => Array.from({ length: count }, (_, i) => `export function number${i}(value: number): number {\n${`  value = value * ${i} + value;\n`.repeat(12)}  return value;\n}\n`).join('\n');
const pathsOf = ({ hits }: SearchAnswer): string[] => [...new Set(hits.map(({ path }) => path))].sort();

describe('the worker that indexes', () => {
  it('reads, embeds, tells how far it is, and says what it has done', async () => {
    const seen: IndexProgress[] = [];
    const { update } = worker();
    const result = await update({ encoder: { model: LLAMA } }, (progress) => seen.push(progress)).result;
    expect(result).toMatchObject({ texts: { indexed: 3, removed: 0 }, vectors: { embedded: 5, encoder: { source: { model: LLAMA, layers: 6 } } } });
    expect([...new Set(seen.map(({ phase }) => phase))]).toEqual(['texts', 'encoder', 'vectors']);
    expect(seen.at(-1)).toMatchObject({ phase: 'vectors', vectors: { done: 5, total: 5 } });
  });

  it('looks at what has changed alone where that is said, and at everything otherwise', async () => {
    const { update } = worker();
    await update().result;
    await cli.write('ws/one.py', 'def one():\n    return 1\n');
    await cli.write('ws/two.py', 'def two():\n    return 2\n');
    expect((await update({ changed: ['one.py'] }).result).texts).toMatchObject({ indexed: 1, seen: 1 });
    await rm(cli.path('ws/docs'), { recursive: true });
    expect((await update({ changed: ['docs'] }).result).texts).toMatchObject({ removed: 1 });
    await writeFile(cli.path('ws/.gitignore'), '*.md\none.py\n');
    expect((await update({ changed: ['.gitignore'] }).result).texts).toMatchObject({ indexed: 2, removed: 1 });
    expect((await update({ rules: { include: ['**/*.py'] } }).result).texts).toMatchObject({ indexed: 0, removed: 2 });
  });

  it('has an index to itself until it closes it, or ends', async () => {
    const [first, second] = [worker(), worker()];
    await first.update().result;
    await expect(second.update().result).rejects.toMatchObject({ code: 'BUSY', message: expect.stringMatching(/Another process \(\d+\) keeps/) });
    await first.close();
    expect((await second.update().result).texts).toMatchObject({ unchanged: 3 });
    await expect(first.update().result).rejects.toMatchObject({ code: 'BUSY' });
    second.end();
    await expect.poll(() => first.update().result.then(({ texts }) => texts.unchanged, ({ code }) => code as string)).toBe(3);
    await first.close();
    await first.close();
  });

  it('is cancelled between two steps, and goes on from there', async () => {
    await cli.write('ws/many.ts', many(400));
    const { update } = worker();
    let running: RunningJob<IndexResult> | undefined;
    running = update({ encoder: { model: LLAMA } }, ({ phase }) => void (phase === 'vectors' && running?.cancel()));
    await expect(running.result).rejects.toMatchObject({ code: 'CANCELLED' });
    const { texts, vectors } = await update().result;
    expect(texts).toMatchObject({ indexed: 0, unchanged: 4 });
    expect(vectors).toMatchObject({ encoder: { source: { model: LLAMA } } });
  });

  it('ends what runs before it closes its index', async () => {
    await cli.write('ws/many.ts', many(400));
    const [first, second] = [worker(), worker()];
    let embedding = (): void => undefined;
    const begun = new Promise<void>((resolve) => (embedding = resolve));
    const running = first.update({ encoder: { model: LLAMA } }, ({ phase }) => void (phase === 'vectors' && embedding()));
    const failure = expect(running.result).rejects.toMatchObject({ code: 'CANCELLED' });
    await begun;
    await first.close();
    await failure;
    expect((await second.update({ encoder: { model: LLAMA, layers: 1 } }).result).texts).toMatchObject({ unchanged: 4 });
  });

  it('says what is wrong with a request, and goes on', async () => {
    const { update } = worker();
    await expect(update({ workspace: cli.path('nowhere') }).result).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(update({ encoder: { model: 'nowhere' } }).result).rejects.toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('There is no model nowhere') });
    await expect(update({ rules: { exclude: ['src/('] } }).result).rejects.toMatchObject({ code: 'USAGE' });
    expect((await update().result).texts).toMatchObject({ indexed: 0, unchanged: 3 });
  });
});

describe('the worker that searches', () => {
  it('says that there is no index yet, and finds it once it is there', async () => {
    const [indexing, searching] = [worker(), worker()];
    await expect(searching.search('retry')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(searching.status()).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await indexing.update().result;
    expect(pathsOf(await searching.search('retry'))).toEqual(['docs/guide.md', 'retry.py']);
    expect(await searching.status()).toMatchObject({ files: 3, chunks: 5, semanticShare: 0, isWhole: true, excluded: { vendored: 1 } });
  });

  it('answers while another process embeds, first by words and in the end by meaning', async () => {
    await cli.write('ws/many.ts', many(400));
    const [indexing, searching] = [worker(), worker()];
    const answers: Array<Promise<SearchAnswer>> = [];
    const running = indexing.update({ encoder: { model: LLAMA } }, ({ phase }) => {
      if (phase === 'vectors' && answers.length === 0) answers.push(searching.search('retry_request', { mode: 'lexical' }), searching.search('retry_request'));
    });
    await running.result;
    const [byWords, byBoth] = (await Promise.all(answers)) as [SearchAnswer, SearchAnswer];
    expect(byWords.hits[0]).toMatchObject({ path: 'retry.py', symbol: 'retry_request' });
    expect(pathsOf(byBoth)).toContain('retry.py');
    const last = await searching.search('retry_request', { mode: 'semantic' });
    expect(last).toMatchObject({ index: { semanticShare: 1, encoder: 'model' }, notes: [] });
    expect(last.hits).toHaveLength(10);
  });

  it('finds what has been written since', async () => {
    const [indexing, searching] = [worker(), worker()];
    await indexing.update().result;
    expect((await searching.search('zebra')).hits).toEqual([]);
    await cli.write('ws/zebra.py', 'def zebra():\n    return 1\n');
    await indexing.update({ changed: ['zebra.py'] }).result;
    expect(pathsOf(await searching.search('zebra'))).toEqual(['zebra.py']);
  });

  it('goes on with the new index where the old one was set aside', async () => {
    const [indexing, searching, another] = [worker(), worker(), worker()];
    await indexing.update().result;
    await searching.search('retry');
    await indexing.close();
    await rm(cli.path('home', 'indexes'), { recursive: true });
    await cli.write('ws/zebra.py', 'def zebra():\n    return 1\n');
    await another.update().result;
    expect(pathsOf(await searching.search('zebra'))).toEqual(['zebra.py']);
  });

  it('refuses a filter in a sentence, and takes any text for a query', async () => {
    const [indexing, searching] = [worker(), worker()];
    await indexing.update().result;
    await expect(searching.search('retry', { paths: ['src/('] })).rejects.toMatchObject({ code: 'USAGE', message: expect.stringContaining('holds a group') });
    await expect(searching.search('retry', { paths: [''] })).rejects.toMatchObject({ code: 'USAGE' });
    for (const query of ['', '\ud800', '\0', '"AND" NEAR(* ^', 'x'.repeat(100_000)]) expect(await searching.search(query)).toMatchObject({ hits: [], index: { files: 3 } });
    expect(pathsOf(await searching.search('retry', { languages: ['python'], kinds: [] }))).toEqual(['retry.py']);
  });
});
