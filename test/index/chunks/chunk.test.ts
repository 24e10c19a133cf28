import { Tree } from 'web-tree-sitter';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { chunkText } from '../../../src/index/chunks/chunk.ts';
import { Outline } from '../../../src/index/chunks/outline.ts';
import { checkedChunks, outlineOf } from './cover.ts';
import { samples } from './samples.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

const statements = (count: number, indent: string): string => Array.from({ length: count }, (_, i) => `${indent}step(${i}, "something that takes a while to read");`).join('\n');

describe('what is too long', () => {
  test('a function is cut between its statements, and each piece has its name', async () => {
    const text = `function long() {\n${statements(60, '  ')}\n}\n`;
    const chunks = await checkedChunks(text, 'a.js');
    expect(new Set(chunks.map(({ kind, symbol }) => `${kind} ${symbol}`))).toEqual(new Set(['function long']));
    expect(chunks.length).toBeGreaterThan(2);
    for (const { start, end } of chunks) expect(text.slice(start, end)).toMatch(/^(function|step)[\s\S]*[;}]$/);
  });

  test('a function within it has its own piece under the names of both', async () => {
    const text = `function outer() {\n${statements(25, '  ')}\n  function inner() {\n${statements(14, '    ')}\n  }\n${statements(25, '  ')}\n}\n`;
    expect(await outlineOf(text, 'a.js')).toEqual(['function outer 1-26', 'function outer.inner 27-42', 'function outer 43-68']);
  });

  test('a statement is cut at its lines, and a line between its words', async () => {
    const lines = `const text = \`\n${Array.from({ length: 200 }, (_, i) => `line ${i} of a long text`).join('\n')}\n\`;\n`;
    for (const { startColumn } of await checkedChunks(lines, 'a.js')) expect(startColumn).toBe(1);
    const line = `const data = [${Array.from({ length: 2000 }, (_, i) => `word${i}`).join(',')}];`;
    for (const { start, end } of (await checkedChunks(line, 'a.js')).slice(1)) expect(line.slice(start - 1, end)).toMatch(/^,word\d+,/);
  });

  test('no character is cut in two', async () => {
    const text = `x${'😀'.repeat(5000)}`;
    expect((await checkedChunks(text, 'a.txt')).length).toBeGreaterThan(5);
  });

  test('what is nested deeper than any program is cut at its lines', async () => {
    expect((await checkedChunks('[\n'.repeat(20_000), 'a.js')).length).toBeGreaterThan(10);
  });
});

describe('nothing', () => {
  test.each(['a.ts', 'a.md', 'a.txt', 'a.py'])('has no chunks: %s', async (file) => {
    expect(await chunkText('', file)).toEqual({ chunks: [] });
    expect(await chunkText(' \r\n\t\f\n', file)).toEqual({ chunks: [] });
  });
});

describe('the language is told by the name of the file', () => {
  test.each([
    ['A.PY', 'function f 1-3'],
    ['a.pyi', 'function f 1-3'],
    ['a.txt', 'block 1-3'],
    ['Makefile', 'block 1-3'],
  ])('%s', async (file, outline) => {
    expect(await outlineOf('def f():\n    work()\n    return "something to read, and more of it"\n', file)).toEqual([outline]);
  });

  test('.editorconfig', async () => {
    expect(await outlineOf('[*]\nindent_style = space\nindent_size = 2\n', '/home/.editorconfig')).toEqual(['section * 1-3']);
  });
});

describe('the sections of Markdown', () => {
  test.each([
    ['a heading in a fence or indented is none', '~~~\n# No\n~~~\n\n    # No\n\n# Yes\nText.\n', ['section Yes 1-8']],
    ['a line of dashes is a heading only under text', '- an item with words enough to be by itself\n---\n\n| a | b |\n---\n\nTitle\n---\nText that follows.\n', ['block 1-5', 'section Title 7-9']],
    ['levels may be left out', '### Deep\nText.\n# Top\nText.\n### Below\nText.\n## Between\nText.\n', ['section Deep 1-2', 'section Top 3-4', 'section Top > Below 5-6', 'section Top > Between 7-8']],
    ['an open fence reaches to the end', '# A\nText.\n```\n# no\n', ['section A 1-4']],
  ])('%s', async (_, text, outline) => {
    expect((await outlineOf(text, 'a.md')).slice(-outline.length)).toEqual(outline);
  });
});

describe('the parser', () => {
  test('runs once a file, and its tree is freed', async () => {
    const deleted = vi.spyOn(Tree.prototype, 'delete');
    for (const [file, text] of Object.entries(samples)) await chunkText(text, file);
    const parsed = Object.keys(samples).filter((file) => !/\.(md|json|yaml)$/.test(file));
    expect(deleted).toHaveBeenCalledTimes(parsed.length);
  });

  test('frees the tree where cutting fails', async () => {
    const deleted = vi.spyOn(Tree.prototype, 'delete');
    vi.spyOn(Outline.prototype, 'groupsOf').mockImplementation(() => {
      throw new RangeError('Maximum call stack size exceeded');
    });
    expect((await chunkText('const a = 1;', 'a.ts')).fallback).toBe('parser gave up');
    expect(deleted).toHaveBeenCalledTimes(1);
  });

  test('that traps is not used again: the assertion of Ruby about a long marker', async () => {
    expect(await chunkText(`x = <<EOF${'é'.repeat(600)}\n`, 'a.rb')).toMatchObject({ chunks: [{ kind: 'block' }], fallback: 'parser gave up' });
    expect(await outlineOf('def f\n  1\nend\n', 'a.rb')).toEqual(['function f 1-3']);
  });

  test('that gives up leaves a file to be cut at its blank lines, and reads the next one', async () => {
    const text = samples['parser.ts']!;
    vi.spyOn(performance, 'now').mockImplementation(((time) => () => (time += 10_000))(0));
    const { chunks, fallback } = await chunkText(text, 'parser.ts');
    expect(fallback).toBe('parser gave up');
    expect(new Set(chunks.map(({ kind }) => kind))).toEqual(new Set(['block']));
    vi.restoreAllMocks();
    expect((await chunkText(text, 'parser.ts')).fallback).toBeUndefined();
  });
});
