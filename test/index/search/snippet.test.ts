import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readCurrent, snippetOf } from '../../../src/index/search/snippet.ts';
import { readWorkspaceFile } from '../../../src/index/files/read.ts';
import type { StoredChunk, StoredFile } from '../../../src/index/store/types.ts';
import { parseQuery } from '../../../src/index/search/query.ts';
import { workspaceOf } from '../files/workspace.ts';

const chunk = (startLine: number, endLine: number): StoredChunk => ({
  id: 1,
  fileId: 1,
  path: 'a.ts',
  language: 'typescript',
  kind: 'function',
  symbol: '',
  startLine,
  startColumn: 1,
  endLine,
  endColumn: 1,
  textHash: new Uint8Array(16),
});
const snippet = (lines: readonly string[], query: string, [start, end] = [1, lines.length]) => snippetOf(chunk(start!, end!), { lines, isChanged: false }, parseQuery(query));
const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `line ${i + 1}`);

describe('a snippet', () => {
  test('of a short chunk is all of it, with the lines that hold words of the query', () => {
    expect(snippet(['// before', 'function parseAddress() {', '  return 1;', '}', '// after'], 'parsing', [2, 4])).toEqual({
      startLine: 2,
      lines: ['function parseAddress() {', '  return 1;', '}'],
      matchedLines: [2],
    });
  });

  test('of a long chunk is the eight lines that hold most words, the first of several', () => {
    const lines = numbered(40);
    lines[20] = 'the retry of a request';
    lines[25] = 'requests';
    lines[35] = 'retry';
    expect(snippet(lines, 'retry request')).toEqual({ startLine: 19, lines: lines.slice(18, 26), matchedLines: [21, 26] });
  });

  test('of a long chunk without a word of the query is its beginning', () => {
    expect(snippet(numbered(40), 'retry', [5, 30])).toEqual({ startLine: 5, lines: numbered(12).slice(4), matchedLines: [] });
  });

  test('cuts lines that have no end', () => {
    const { lines, matchedLines } = snippet([`retry ${'x'.repeat(10_000)}`, `${'x'.repeat(10_000)} retry`], 'retry');
    expect(lines.map((line) => line.length)).toEqual([400, 400]);
    expect(matchedLines).toEqual([1]);
  });

  test('whatever the file has become, is of lines that are there', () => {
    const lines = fc.array(fc.constantFrom('retry', 'retries the request', '', '}', 'a b c'), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(lines, fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 40 }), (file, start, length) => {
        const found = snippet(file, 'retry request', [Math.min(start, file.length), start + length]);
        expect(found.lines.length).toBeLessThanOrEqual(8);
        expect(found.lines).toEqual(file.slice(found.startLine - 1, found.startLine - 1 + found.lines.length));
        expect(found.matchedLines.every((line) => /retr|request/.test(file[line - 1]!) && line >= found.startLine && line < found.startLine + found.lines.length)).toBe(true);
      }),
    );
  });
});

describe('a file that was indexed', () => {
  async function stored(content: string | Uint8Array): Promise<{ root: string; file: StoredFile }> {
    const root = await workspaceOf({ 'a.ts': content });
    const read = await readWorkspaceFile({ path: 'a.ts', absolute: path.join(root, 'a.ts'), size: content.length, mtimeMs: 0, language: 'typescript' }, { mostBytes: 1e9 });
    if ('reason' in read) throw new Error(read.reason);
    return { root, file: { id: 1, path: 'a.ts', language: 'typescript', size: content.length, mtimeMs: 0, hash: read.hash } };
  }

  test('is read in lines however they end', async () => {
    const { root, file } = await stored('one\ntwo\r\nthree\rfour');
    expect(await readCurrent(root, file)).toEqual({ lines: ['one', 'two', 'three', 'four'], isChanged: false });
  });

  test('is read in the encoding that it has', async () => {
    const { root, file } = await stored(Buffer.from('\ufeffeins\nzwö', 'utf16le'));
    expect((await readCurrent(root, file))?.lines).toEqual(['eins', 'zwö']);
  });

  test('is said to have changed where its bytes have', async () => {
    const { root, file } = await stored('one\n');
    await writeFile(path.join(root, 'a.ts'), 'two\n');
    expect(await readCurrent(root, file)).toEqual({ lines: ['two', ''], isChanged: true });
  });

  test('is none where it is gone, is no text any more, or is far larger than it was', async () => {
    const { root, file } = await stored('one\n');
    await writeFile(path.join(root, 'a.ts'), Buffer.from([0, 1, 2, 3, 0, 0]));
    expect(await readCurrent(root, file)).toBeUndefined();
    await writeFile(path.join(root, 'a.ts'), 'const one = 1;\n'.repeat(200_000));
    expect(await readCurrent(root, file)).toBeUndefined();
    await rm(path.join(root, 'a.ts'));
    expect(await readCurrent(root, file)).toBeUndefined();
  });

  test('is read though it is larger than others may be, where it was indexed so', async () => {
    const { root, file } = await stored('const one = 1;\n'.repeat(200_000));
    expect((await readCurrent(root, file))?.lines).toHaveLength(200_001);
  });
});
