import { describe, expect, test } from 'vitest';
import type { FunctionChunk } from '../../src/data/functions.ts';
import { modelNegatives, type VectorSource } from '../../src/data/model-negatives.ts';
import { NegativeFinder } from '../../src/data/negatives.ts';
import type { Triplet } from '../../src/data/triplet.ts';
import { Random } from '../../src/random.ts';

let line = 0;
const chunk = (name: string, code: string, at: Partial<FunctionChunk> = {}): FunctionChunk => ({
  name,
  qualifiedName: name,
  language: 'python',
  path: 'a.py',
  startLine: (line += 10),
  endLine: line + 5,
  code,
  bodyLines: 3,
  parameters: [],
  ...at,
});

describe('negatives by BM25', () => {
  const positive = chunk('read', 'read lines of a text file');
  const near = chunk('write', 'write lines to a text socket at once');
  const far = chunk('paint', 'paint walls in green with brushes');
  const find = (others: readonly FunctionChunk[], count = 1, descriptions = new Map<FunctionChunk, string>()): string[] =>
    new NegativeFinder([positive, ...others], descriptions, Random.fromSeed(1)).find('read the lines of a text', positive, count).map(({ name }) => name);

  test('are the functions that the words of the query fit best, then any others', () => {
    expect(find([far, near])).toEqual(['write']);
    expect(find([far, near], 2)).toEqual(['write', 'paint']);
    expect(find([far, near], 9)).toEqual(['write', 'paint']);
    expect(find([])).toEqual([]);
  });

  test('are none that might be as good an answer: of the same name, around or inside of it, a near copy, of the same description', () => {
    expect(find([far, chunk('read', 'read text lines')])).toEqual(['paint']);
    expect(find([far, chunk('outer', 'read text lines in all', { startLine: positive.startLine - 1, endLine: positive.endLine + 1 })])).toEqual(['paint']);
    expect(find([far, chunk('copy', 'read lines of a text file')])).toEqual(['paint']);
    expect(find([far, near], 1, new Map([[near, 'Reads all lines of a text']]))).toEqual(['paint']);
  });
});

describe('negatives by the model', () => {
  const words: Readonly<Record<string, readonly [number, number]>> = {
    query: [1, 0], positive: [0.8, 0.6], 'too near': [0.79, 0.61], hard: [0.6, 0.8], easy: [0.1, 0.99], opposite: [-1, 0], other: [0, 1], answer: [0.7, 0.7], missed: [-0.5, 0.5],
  };
  const vectorOf = (text: string): Float32Array => Float32Array.from(words[text] as readonly number[], (value) => 3 * value);
  const asked: string[][] = [];
  const encoder: VectorSource = {
    queries: (rows) => Promise.resolve(rows.map(({ query }) => vectorOf(query))),
    documents: (texts) => {
      asked.push([...texts]);
      return Promise.resolve(texts.map(vectorOf));
    },
  };
  const row = (positive: string, negatives: readonly string[], query = 'query'): Triplet => ({ query, positive, negatives, instruction: 'find' });
  const found = async (rows: readonly Triplet[], options: Partial<Parameters<typeof modelNegatives>[2]> = {}): Promise<(readonly string[])[]> => {
    const all: (readonly string[])[] = [];
    for await (const { negatives, instruction } of modelNegatives(rows, encoder, { count: 1, ...options })) {
      expect(instruction).toBe('find');
      all.push(negatives);
    }
    return all;
  };

  test('are the nearest to the query of all texts, below a share of the score of the positive', async () => {
    const rows = [row('positive', ['easy']), row('other', ['too near', 'hard', 'opposite'], 'other')];
    expect((await found(rows))[0]).toEqual(['hard']);
    expect((await found(rows, { count: 2 }))[0]).toEqual(['hard', 'easy']);
    expect((await found(rows, { margin: 1 }))[0]).toEqual(['too near']);
  });

  test('are no other positive of the same query, wherever it stands', async () => {
    const [first] = await found([row('positive', ['easy']), row('hard', ['opposite']), row('other', ['answer'], 'other')]);
    expect(first).toEqual(['answer']);
  });

  test('fall back on what the row had, where the model misses the positive or finds nothing', async () => {
    expect(await found([row('missed', ['easy'])])).toEqual([['easy']]);
    expect(await found([row('positive', ['opposite'])])).toEqual([['opposite']]);
    expect(await found([row('positive', [])])).toEqual([[]]);
  });

  test('are looked for among so many rows at once, each text encoded once in them', async () => {
    asked.length = 0;
    const rows = [row('positive', ['easy', 'hard']), row('positive', ['easy'], 'other'), row('other', ['hard'])];
    expect(await found(rows, { blockRows: 2 })).toHaveLength(3);
    expect(asked).toEqual([['positive', 'easy', 'hard'], ['other', 'hard']]);
  });

  test('stop when they are cancelled', async () => {
    await expect(found([row('positive', ['easy'])], { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});
