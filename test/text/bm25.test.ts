import { describe, expect, test } from 'vitest';
import { Bm25 } from '../../src/text/bm25.ts';

const documents = [
  'function parseHTTPHeader(line) { return line.split(":"); }',
  'def parse_header_line(raw_line):\n    return raw_line.strip()',
  'class HTTPServer { listen(port) { this.port = port; } }',
  'const sum = (a, b) => a + b;',
  'export function parseLines(text) { return text.split(/\\r?\\n/).map(parseHTTPHeader); }',
];
const search = (query: string, top = 10) => new Bm25(documents).search(query, top);

describe('BM25', () => {
  // From Python's bm25s 0.3.16, BM25(method="lucene", k1=1.2, b=0.75).get_scores over the same words.
  test.each([
    ['Parses the headers of an HTTP line', [[0, 1.100204], [4, 0.871092], [1, 0.831422], [2, 0.265181]]],
    ['listening on a port port', [[2, 2.744697]]],
    ['sum', [[3, 0.806639]]],
    ['nothing like it', []],
  ])('scores "%s" as bm25s does', (query, expected) => {
    const ranked = search(query);
    expect(ranked.map(({ index }) => index)).toEqual(expected.map(([index]) => index));
    ranked.forEach(({ score }, i) => expect(score).toBeCloseTo(expected[i]?.[1] as number, 5));
  });

  test('breaks ties by index and gives no more than it was asked for', () => {
    const index = new Bm25(['same words', 'other', 'same words', 'same words']);
    expect(index.search('same', 2).map((hit) => hit.index)).toEqual([0, 2]);
  });

  test('takes an empty corpus, empty documents and empty queries', () => {
    expect(new Bm25([]).search('x', 5)).toEqual([]);
    expect(new Bm25(['', '']).search('x', 5)).toEqual([]);
    expect(search('')).toEqual([]);
  });

  test('is not confused by words that objects have', () => {
    expect(new Bm25(['constructor toString', '__proto__']).search('proto', 5).map((hit) => hit.index)).toEqual([1]);
  });
});
