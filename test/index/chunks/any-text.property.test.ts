import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chunkText } from '../../../src/index/chunks/chunk.ts';
import { chunkContext } from '../../../src/index/chunks/context.ts';
import { checkedChunks } from './cover.ts';

const runs = { numRuns: process.env['L3PRUNE_LONG'] === '1' ? 2000 : 60, seed: 7 };
const kinds = ['ts', 'tsx', 'js', 'py', 'pyi', 'go', 'rs', 'java', 'c', 'cpp', 'cs', 'rb', 'php', 'sh', 'css', 'ini', 'ps1', 'md', 'json', 'unknown'];

const word = fc.oneof(
  fc.constantFrom('\n', '\r\n', '\r', '\f', '\u2028', '\uFEFF', ' ', '  ', '\t', '\n\n', '\0', '😀', '\uD83D', '{', '}', '(', ')', ';', ':', '"', "'", '`', '#', '# ', '##', '---', '===', '```', '//', '/*', '*/', '<<EOF', '<?php', '=', ',', '@'),
  fc.constantFrom('class A', 'def f', 'function f()', 'fn f()', 'func f()', 'end', 'struct S', 'namespace n', 'interface I', 'if x', 'return', '[a]', 'const x = () =>', 'module M', 'begin', '\n    '),
  fc.string({ maxLength: 6 }),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).map((text) => text.repeat(80)),
);
const anyText = fc.array(word, { maxLength: 60 }).map((words) => words.join(''));

describe('the chunks of any text stand in order, hold all that is written, and say where they are', () => {
  test.each(kinds)('%s', async (kind) => {
    await fc.assert(
      fc.asyncProperty(anyText, async (text) => {
        await checkedChunks(text, `a.${kind}`);
      }),
      runs,
    );
  });

  const folder = fileURLToPath(new URL('../../fixtures/languages/', import.meta.url));
  test('a program that is damaged', async () => {
    const files = await Promise.all((await readdir(folder)).map(async (file) => ({ file, source: (await readFile(path.join(folder, file), 'utf8')).repeat(4) })));
    const damage = fc.record({ at: fc.nat(4000), length: fc.nat(60), put: word });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...files), fc.array(damage, { maxLength: 5 }), async ({ file, source }, damages) => {
        await checkedChunks(damages.reduce((text, { at, length, put }) => text.slice(0, at) + put + text.slice(at + length), source), file);
      }),
      { ...runs, numRuns: 2 * runs.numRuns },
    );
  });
});

describe('what an encoder reads', () => {
  test('has neither carriage returns nor shared indentation, and is the same for the same text', async () => {
    await fc.assert(
      fc.asyncProperty(anyText, fc.constantFrom(...kinds), async (text, kind) => {
        const { chunks } = await chunkText(text, `a.${kind}`);
        for (const chunk of chunks) {
          const context = chunkContext(chunk, text);
          expect(context).not.toContain('\r');
          expect(context.replace(/\s/g, '').endsWith(text.slice(chunk.start, chunk.end).replace(/\s/g, ''))).toBe(true);
          expect(chunkContext(chunk, text)).toBe(context);
        }
      }),
      runs,
    );
  });
});
