import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isBeir, readBeir } from '../../src/eval/beir.ts';
import { rankLexically } from '../../src/eval/retrieval.ts';
import { ended } from './reference/scores.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'l3prune-beir-'));
});
afterEach(() => rm(folder, { recursive: true }));

const lines = (rows: readonly unknown[]): string => rows.map((row) => JSON.stringify(row)).join('\n');
const documents = [
  { _id: 'd1', title: 'Stacks', text: 'push and pop' },
  { _id: 2, title: '', text: 'hash tables' },
  { _id: 'd3', text: 'trees' },
];
const queries = [
  { _id: 'q1', text: 'what is last in, first out' },
  { _id: 7, text: 'find by key' },
  { _id: 'train', text: 'not asked here' },
];
const heading = 'query-id\tcorpus-id\tscore\n';
const beirOf = async (qrels: string, { name = 'test.tsv', corpus = documents as readonly unknown[] } = {}) => {
  await writeFile(path.join(folder, 'corpus.jsonl.gz'), gzipSync(lines(corpus)));
  await writeFile(path.join(folder, 'queries.jsonl'), lines(queries));
  await mkdir(path.join(folder, 'qrels'), { recursive: true });
  await writeFile(path.join(folder, 'qrels', name), qrels);
  return readBeir(folder);
};

describe('readBeir', () => {
  test('reads title and text as one document, and the judged queries with their grades', async () => {
    const corpus = await beirOf(`${heading}q1\td1\t2\nq1\t2\t1\n7\t2\t1\nq1\td3\t0\n`);
    expect(corpus.documents).toEqual([
      { id: 'd1', text: 'Stacks push and pop' },
      { id: '2', text: 'hash tables' },
      { id: 'd3', text: 'trees' },
    ]);
    expect(corpus.queries).toEqual([
      { id: 'q1', query: 'what is last in, first out', relevant: new Map([['d1', 2], ['2', 1]]) },
      { id: '7', query: 'find by key', relevant: new Map([['2', 1]]) },
    ]);
    expect(corpus.rejected).toEqual([]);
    expect(await isBeir(folder)).toBe(true);
  });

  test('takes judgements as JSON lines, as the hub has them', async () => {
    const corpus = await beirOf(lines([{ 'query-id': 'q1', 'corpus-id': 'd1', score: 1 }]), { name: 'test.jsonl' });
    expect(corpus.queries.map(({ id }) => id)).toEqual(['q1']);
  });

  test('names what it leaves out', async () => {
    const corpus = await beirOf(`${heading}q1\td1\t1\nq9\td1\t1\nq1\td9\t1\nq1\td1\t1\nq1 d1 1\nq1\td1\tx\n`, { corpus: [...documents, { _id: 'd4', title: ' ', text: '' }, { _id: 'd5', text: 5 }] });
    expect(corpus.rejected.map(({ file, line, reason }) => `${path.basename(file)}:${line} ${reason}`)).toEqual([
      'corpus.jsonl.gz:4 title and text are empty',
      'corpus.jsonl.gz:5 text is not a text',
      'test.tsv:3 names the query "q9", which is not in queries',
      'test.tsv:4 names the document "d9", which is not in the corpus',
      'test.tsv:5 judges a document for a query a second time',
      'test.tsv:6 is not query-id, corpus-id and a whole score between tabs',
      'test.tsv:7 is not query-id, corpus-id and a whole score between tabs',
    ]);
  });

  test('has another fingerprint when a grade changes', async () => {
    const { fingerprint } = await beirOf(`${heading}q1\td1\t1\n`);
    expect((await beirOf(`${heading}q1\td1\t2\n`)).fingerprint).not.toBe(fingerprint);
  });

  test('is one sentence where nothing is judged', async () => {
    await expect(beirOf(`${heading}q1\td1\t0\n`)).rejects.toMatchObject({ code: 'BAD_DATA', message: expect.stringContaining('judges no document relevant') });
    await rm(path.join(folder, 'qrels'), { recursive: true });
    await expect(beirOf('', { name: 'dev.tsv' })).rejects.toMatchObject({ code: 'NOT_FOUND', message: expect.stringMatching(/holds no test\.tsv/) });
  });

  test('does not find a query in itself', async () => {
    const corpus = await beirOf(`${heading}q1\td1\t1\n`, { corpus: [...documents, { _id: 'q1', text: 'what is last in, first out' }] });
    const { rankings } = await ended(rankLexically(corpus));
    expect(rankings[0]!.map(({ index }) => corpus.documents[index]!.id)).not.toContain('q1');
  });
});
