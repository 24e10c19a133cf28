import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseQuery } from '../../../src/index/search/query.ts';
import { codeWords } from '../../../src/text/words.ts';

describe('a query', () => {
  test('has the words that code has, each once, in their order', () => {
    expect(parseQuery('parseAddress of HTTP_REQUEST, parse again').words).toEqual(['pars', 'address', 'http', 'request', 'again']);
  });

  test.each([
    ['', ''],
    [' \t\n', ''],
    ['\0', ''],
    ['a\0b', 'a b'],
    ['a\ud800b', 'a\ufffdb'],
    ['  a  ', 'a'],
  ])('%j is read as %j', (query, text) => {
    expect(parseQuery(query).text).toBe(text);
  });

  test.each(['', '?!, …', '("', 'where is it and of the', 'AND OR NOT', '👩‍👩‍👧'])('%j has no word', (query) => {
    expect(parseQuery(query)).toMatchObject({ words: [], isUnfinished: false });
  });

  test.each([
    ['parseAddr', true],
    ['parse addr', true],
    ['parse addr ', true],
    ['parse addr(', false],
    ['parse the', false],
    ['parse the the', false],
    ['किताब की', true],
    ['parse parse', true],
    ['地址', true],
  ])('%j is %s to be unfinished', (query, isUnfinished) => {
    expect(parseQuery(query).isUnfinished).toBe(isUnfinished);
  });

  test.each([
    ['how is an address parsed', undefined],
    ['parseAddress', 'parseAddress'],
    ['"a quoted text"', 'a quoted text'],
    ['x->y', 'x->y'],
    ['()', undefined],
    ['a\nb();', undefined],
    [`x(${'y'.repeat(300)})`, undefined],
  ])('%j seeks %j letter by letter', (query, literal) => {
    expect(parseQuery(query).literal).toBe(literal);
  });

  test('that is longer than a file is read as far as its beginning', () => {
    const parsed = parseQuery(`${'word '.repeat(30_000)}end`);
    expect(parsed.text.length).toBeLessThanOrEqual(100_000);
    expect(parsed.words).toEqual(['word']);
  });

  test('whatever it is, has well-formed text without NUL and at most 48 words, all of which code could hold', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (query) => {
        const { text, words, literal } = parseQuery(query);
        expect(text.isWellFormed()).toBe(true);
        expect(text).not.toContain('\0');
        expect(words.length).toBeLessThanOrEqual(48);
        expect(new Set(words).size).toBe(words.length);
        const all = new Set(codeWords(text));
        expect(words.every((word) => all.has(word))).toBe(true);
        expect(literal === undefined || text.includes(literal)).toBe(true);
      }),
    );
  });
});
