import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { searchModes, WorkspaceSearch, type SearchAnswer, type SearchRequest } from '../../../src/index/search/search.ts';
import { WorkspaceIndex } from '../../../src/index/update/update.ts';
import { LLAMA } from '../../models/folder.ts';
import { files } from '../../cli/workspace.ts';
import { put } from '../files/workspace.ts';

let folder: string;
let search: WorkspaceSearch;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'l3prune-answers-'));
  const home = path.join(folder, 'home');
  for (const [name, content] of Object.entries(files)) await put(path.join(folder, 'ws'), name, content);
  const index = await WorkspaceIndex.open(path.join(folder, 'ws'), { home, threads: 1, rules: {}, regardless: true });
  const updating = index.update({ model: LLAMA, layers: 1 });
  for (let step = await updating.next(); !step.done; ) step = await updating.next();
  await index.close();
  search = await WorkspaceSearch.open(path.join(folder, 'ws'), { home, threads: 1, patienceMilliseconds: Infinity });
});
afterAll(async () => {
  await search.close();
  await rm(folder, { recursive: true, force: true });
});

const ask = (query: string, changes: Partial<SearchRequest> = {}): Promise<SearchAnswer> => search.search({ query, limit: 10, mode: 'hybrid', ...changes });

describe('an answer', () => {
  test.each(['', ' \t\n', '\0'])('to the empty query %j is a note', async (query) => {
    for (const mode of searchModes) expect(await ask(query, { mode })).toMatchObject({ hits: [], notes: ['The query is empty: write what you look for.'] });
  });

  test.each(['?!, …', '("', 'where is it and of the', 'AND OR NOT', '👩‍👩‍👧'])('to %j, which has no word, is by meaning, and a note by words alone', async (query) => {
    for (const mode of ['hybrid', 'semantic'] as const) expect(await ask(query, { mode })).toMatchObject({ hits: { length: 5 }, notes: [] });
    expect(await ask(query, { mode: 'lexical' })).toMatchObject({ hits: [], notes: ['The query has no word to look for: write what the code does, or a name in it.'] });
  });

  test.each([
    '"retry" "',
    'retry*',
    'NEAR(retry request, 2)',
    'retry NOT request',
    'path: retry ^body - {a b} : x',
    "'; DROP TABLE files; -- retry",
    'retry\ud800',
    'retry\0request',
    `retry ${'x'.repeat(100_000)}`,
    'retry '.repeat(20_000),
  ])('to %j finds the word in it', async (query) => {
    for (const mode of ['hybrid', 'lexical'] as const) expect((await ask(query, { mode })).hits.map((hit) => hit.path)).toContain('retry.py');
  });

  test.each(['重试失败的请求', 'повторить неудачный запрос', 'أعد محاولة الطلب الفاشل', '\ud800', '../../etc/passwd'])('to %j is one', async (query) => {
    for (const mode of searchModes) expect(await ask(query, { mode })).toMatchObject({ hits: expect.any(Array), index: { files: 3 } });
  });

  test('has as many hits as were asked for, none for none', async () => {
    expect((await ask('retry', { limit: 2 })).hits).toHaveLength(2);
    expect((await ask('retry', { limit: 0 })).hits).toEqual([]);
  });

  test('has hits best first, each once', async () => {
    for (const mode of searchModes) {
      const { hits } = await ask('retry the failed request', { mode });
      expect(hits.map(({ score }) => score)).toEqual(hits.map(({ score }) => score).sort((a, b) => b - a));
      expect(new Set(hits.map(({ path, startLine }) => `${path}:${startLine}`)).size).toBe(hits.length);
    }
  });

  test('is the same for the same question', async () => {
    const [first, second] = [await ask('retry'), await ask('retry')];
    expect(second.hits).toEqual(first.hits);
  });
});
