import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readCorpus } from '../../src/eval/corpus.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'l3prune-corpus-'));
});
afterEach(() => rm(folder, { recursive: true }));

const lines = (rows: readonly unknown[]): string => rows.map((row) => JSON.stringify(row)).join('\n');
const corpusOf = async (documents: readonly unknown[], queries: readonly unknown[]) => {
  await writeFile(path.join(folder, 'corpus.jsonl'), lines(documents));
  await writeFile(path.join(folder, 'queries.jsonl.gz'), gzipSync(lines(queries)));
  return readCorpus(folder);
};
const documents = [
  { id: 'c1', code: 'one()', language: 'javascript' },
  { id: 'c2', text: 'two' },
];
const queries = [{ id: 'q1', query: 'which is one', relevant: ['c1', 'c2', 'c1'] }];

describe('readCorpus', () => {
  test('reads documents and queries, plain or compressed', async () => {
    const corpus = await corpusOf(documents, queries);
    expect(corpus.documents).toEqual([
      { id: 'c1', text: 'one()' },
      { id: 'c2', text: 'two' },
    ]);
    expect(corpus.queries).toEqual([{ id: 'q1', query: 'which is one', relevant: new Map([['c1', 1], ['c2', 1]]) }]);
    expect(corpus.rejected).toEqual([]);
    expect(corpus.fingerprint).toMatch(/^[0-9a-f]{64}$/);
  });

  test('names what it leaves out', async () => {
    const corpus = await corpusOf(
      [...documents, { id: 'c1', text: 'again' }, { id: 'c3', code: ' ' }, { id: 'c4' }, { id: 5, text: 'x' }],
      [...queries, { id: 'q2', query: 'x', relevant: ['c9'] }, { id: 'q3', query: '', relevant: ['c1'] }, { id: 'q4', query: 'x', relevant: [] }, { id: 'q5', query: 'x' }],
    );
    expect(corpus.documents).toHaveLength(2);
    expect(corpus.queries).toHaveLength(1);
    expect(corpus.rejected.map((row) => `${path.basename(row.file)}:${row.line} ${row.reason}`)).toEqual([
      'corpus.jsonl:3 its id is that of line 1',
      'corpus.jsonl:4 code is empty',
      'corpus.jsonl:5 code (or text) is missing',
      'corpus.jsonl:6 id is not a text',
      'queries.jsonl.gz:2 relevant names "c9", which is not in the corpus',
      'queries.jsonl.gz:3 query is empty',
      'queries.jsonl.gz:4 relevant is empty',
      'queries.jsonl.gz:5 relevant is not a list of ids',
    ]);
  });

  test('has another fingerprint when a relevant id changes, and the same when a spelling does', async () => {
    const { fingerprint } = await corpusOf(documents, queries);
    expect((await corpusOf([documents[0], { id: 'c2', code: 'two' }], queries)).fingerprint).toBe(fingerprint);
    expect((await corpusOf(documents, [{ ...queries[0], relevant: ['c2'] }])).fingerprint).not.toBe(fingerprint);
  });

  test('is one sentence where there is nothing to measure on', async () => {
    await expect(readCorpus(folder)).rejects.toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('holds no corpus.jsonl') });
    await expect(corpusOf(documents, [])).rejects.toMatchObject({ code: 'BAD_DATA', message: expect.stringMatching(/queries.jsonl.gz is empty/) });
    await expect(corpusOf([{ id: 'c' }], queries)).rejects.toMatchObject({
      code: 'BAD_DATA',
      message: expect.stringMatching(/corpus.jsonl holds no row that can be used \(corpus.jsonl line 1: code \(or text\) is missing\)/),
    });
  });
});
