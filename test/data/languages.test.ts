import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { description } from '../../src/data/comment-text.ts';
import { parseSource } from '../../src/data/functions.ts';
import { codeLanguages, grammarOf, grammars } from '../../src/data/grammars.ts';
import { testCases } from '../../src/data/mine/tests.ts';
import { grammarFiles } from '../../scripts/grammars.mjs';

const folder = fileURLToPath(new URL('../fixtures/languages/', import.meta.url));
const files = await readdir(folder);
const read = async (file: string): Promise<string> => readFile(path.join(folder, file), 'utf8');

/** "Qualified.name(parameters) first-last: description" for each function, and "group, title: calls" for each test. */
const outline = async (file: string): Promise<{ functions: string[]; tests: string[] }> => {
  const parsed = await parseSource(await read(file), file, { calls: true });
  if (parsed === undefined) throw new Error('gave up');
  return {
    functions: parsed.functions.map(({ qualifiedName, parameters, startLine, endLine, comment }) => {
      const said = comment === undefined ? '' : `: ${description(comment.text).replace(/\s+/g, ' ')}`;
      return `${qualifiedName}(${parameters.join(', ')}) ${startLine}-${endLine}${said}`;
    }),
    tests: testCases(parsed, file, grammarOf(file)!.language).map(({ groups, title, calls }) => `${[...groups, title].join(', ')}: ${calls.join(' ')}`),
  };
};

const SPLITS = 'Splits an address into its parts.';

describe('the functions, their comments and the tests of', () => {
  test.each([
    ['sample.ts', [`Parser.parseUrl(this, text, size, rest) 8-11: ${SPLITS}`, 'Parser.twice(n) 13-13'], ["'Parser', 'keeps the scheme': it expect parseUrl toBe"]],
    ['sample.js', [`parseUrl(text, size) 5-7: ${SPLITS}`, 'twice(n) 9-9'], ["'keeps the scheme': test equal Parser parseUrl"]],
    [
      'sample.py',
      [`Parser.parse_url(text, base, options) 8-18: ${SPLITS}`, 'Parser.inner(self) 20-22', 'Parser.inner.nested(value) 21-21', 'test_parse_url_keeps_the_scheme() 25-26'],
      ['test_parse_url_keeps_the_scheme: Parser parse_url make'],
    ],
    [
      'sample.go',
      ['Parser.ParseURL(text, base, other) 7-10: ParseURL splits an address into its parts.', 'Twice(n) 13-13: Twice doubles.', 'init() 17-17', 'TestParseURL(t) 19-22'],
      ['TestParseURL: NewParser ParseURL check'],
    ],
    ['sample.rs', [`Parser.parse_url(text, base) 7-12: ${SPLITS}`, 'plain(n) 16-16', 'tests.keeps_the_scheme() 19-22'], ['tests, keeps_the_scheme: parse_url']],
    [
      'Sample.java',
      ['Parser.Parser(size) 6-8: Makes one.', `Parser.parseUrl(text, sizes, options) 16-19: ${SPLITS}`, 'Parser.plain() 22-22', 'Parser.Inner.twice(n) 26-26', 'Parser.keepsTheScheme() 28-31'],
      ['Parser, keepsTheScheme: assertEquals parseUrl'],
    ],
    [
      'sample.c',
      [`parse_url(text, sizes) 9-12: ${SPLITS}`, 'twice(n) 15-15: Twice.', 'make(void) 19-21: By lines, two of them.', 'test_parse_url(void) 23-25'],
      ['test_parse_url: check parse_url'],
    ],
    [
      'sample.cpp',
      [
        `Parser.parseUrl(text, size) 6-9: ${SPLITS}`,
        'Parser.Parser(size) 14-14: Makes one.',
        'Parser.~Parser() 15-15',
        'Parser.operator==(other) 17-17: Compares.',
        'TEST_F(ParserTest, KeepsTheScheme) 23-25',
      ],
      ['ParserTest, KeepsTheScheme: EXPECT_EQ parseUrl'],
    ],
    [
      'Sample.cs',
      ['Parser.ParseUrl(text, sizes) 9-13: Splits an address into its String parts.', 'Parser.Twice(n) 15-15', 'Parser.Parser(size) 18-18', 'Parser.KeepsTheScheme() 20-24'],
      ['Parser, KeepsTheScheme: Equal ParseUrl'],
    ],
    [
      'sample.rb',
      [`Net.Parser.parse_url(text, base, rest, block) 9-12: ${SPLITS}`, 'Net.Parser.twice(n) 15-15', 'Net.Parser.hidden() 17-19', 'ParserTest.test_keeps_the_scheme() 24-26'],
      ['ParserTest, test_keeps_the_scheme: assert_equal new parse_url'],
    ],
    [
      'sample.php',
      [`Parser.parseUrl(text, sizes) 12-16: ${SPLITS}`, 'twice(n) 23-23: Twice.', 'ParserTest.testKeepsTheScheme() 27-30'],
      ['ParserTest, testKeepsTheScheme: assertSame parseUrl'],
    ],
  ])('%s', async (file, functions, tests) => {
    expect(await outline(file)).toEqual({ functions, tests });
  });

  test('every language has a sample', () => {
    expect(new Set(files.map((file) => grammarOf(file)?.language))).toEqual(new Set(codeLanguages));
  });
});

describe('a function that is cut out', () => {
  const codeOf = async (file: string, name: string): Promise<string | undefined> => (await parseSource(await read(file), file))?.functions.find((chunk) => chunk.name === name)?.code;

  test('of Python has its decorators and not its docstring', async () => {
    expect(await codeOf('sample.py', 'parse_url')).toBe(
      '@staticmethod\n@cached\nasync def parse_url(text: str, *, base: "str" = "x", **options) -> str:\n    parts = text.split("/")  # a comment\n    return parts',
    );
  });

  test('of Rust, C++ and Ruby has the attributes, templates and modifiers around it', async () => {
    expect(await codeOf('sample.rs', 'parse_url')).toMatch(/^#\[inline\]\n#\[must_use\]\npub fn parse_url/);
    expect(await codeOf('sample.cpp', 'parseUrl')).toMatch(/^template <typename T>\nstd::vector<T> Parser<T>::parseUrl/);
    expect(await codeOf('sample.rb', 'hidden')).toBe('private def hidden\n  1\nend');
  });
});

describe('any damage to a program', () => {
  test.each(files)('of %s crashes nothing: chunks lie inside of the text, in order', async (file) => {
    const source = await read(file);
    const damage = fc.record({ at: fc.nat(source.length), length: fc.nat(40), text: fc.oneof(fc.string({ unit: 'grapheme', maxLength: 8 }), fc.constantFrom('{', '}', '(', '"""', "'", '/*', '*/', '#', '\0', '\\', '<<EOF', '`')) });
    await fc.assert(
      fc.asyncProperty(fc.array(damage, { maxLength: 5 }), async (damages) => {
        const mangled = damages.reduce((text, { at, length, text: put }) => text.slice(0, at) + put + text.slice(at + length), source);
        const parsed = await parseSource(mangled, file, { calls: true });
        const lines = mangled.split('\n').length;
        let last = 0;
        for (const { code, startLine, endLine } of parsed?.functions ?? []) {
          expect(code).not.toBe('');
          expect(startLine).toBeGreaterThanOrEqual(last);
          expect(endLine).toBeGreaterThanOrEqual(startLine);
          expect(endLine).toBeLessThanOrEqual(lines);
          last = startLine;
        }
        testCases(parsed!, file, grammarOf(file)!.language);
      }),
      { seed: 20, numRuns: process.env['L3PRUNE_LONG'] === '1' ? 1000 : 60 },
    );
  }, 120_000);
});

test('a package has each grammar that is loaded, and no other', () => {
  expect(grammarFiles.map((file) => path.basename(file)).sort()).toEqual(['web-tree-sitter.wasm', ...grammars.map((name) => `tree-sitter-${name}.wasm`)].sort());
});
