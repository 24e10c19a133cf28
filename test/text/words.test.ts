import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { codeWords } from '../../src/text/words.ts';

describe('codeWords', () => {
  test.each([
    ['parseHTTPHeader', ['pars', 'http', 'header']],
    ['raw_line_no', ['raw', 'lin']],
    ['MAX_VALUE', ['max', 'valu']],
    ['sha256sum utf8', ['sha', '256', 'sum', 'utf', '8']],
    ['$scope.getElementById("x")', ['scop', 'get', 'element', 'id', 'x']],
    ['Größe größer', ['größ', 'größer']],
    ['读取文件', ['读取文件']],
    ['the of and', []],
    ['', []],
    ['_ - ()', []],
  ])('splits %s', (text, words) => {
    expect(codeWords(text)).toEqual(words);
  });

  test('makes one word of a verb and its common endings, and leaves "class" alone', () => {
    expect(new Set(codeWords('return returns returned returning'))).toEqual(new Set(['return']));
    expect(new Set(codeWords('class classes'))).toEqual(new Set(['class']));
    expect(codeWords('is red string')).toEqual(['red', 'str']);
  });

  test('takes any text, and finds the same words whatever stands between them', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('parse', 'the', 'lines', 'x', 'http2', 'größe', 'returned')), (words) => {
        expect(codeWords(words.join('_'))).toEqual(codeWords(words.join(' (')));
      }),
    );
    fc.assert(fc.property(fc.string({ unit: fc.nat(0xffff).map((unit) => String.fromCharCode(unit)) }), (text) => codeWords(text).every((word) => word !== '')));
  });
});
