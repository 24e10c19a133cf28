import type { Chunk } from './types.ts';

/** A chunk says its names itself where they stand in so many of its first characters. */
const HEAD = 400;

/**
 * What an encoder reads of a chunk: its symbol as a first line, where the chunk does not begin with the names in it, then
 * its text without the indentation that all of its lines share. The same text elsewhere, in a file that was moved or a
 * class that was indented, reads the same.
 */
export function chunkContext({ kind, symbol, start, end, startColumn }: Chunk, text: string): string {
  const before = text.slice(start - startColumn + 1, start);
  const code = dedented((before.trim() === '' ? before : '') + text.slice(start, end));
  const names = symbol.split(kind === 'section' ? ' > ' : '.');
  const words = new Set(code.slice(0, HEAD).match(/[\w$]+/g));
  const isSpelled = names.every((name) => (/^[\w$]+$/.test(name) ? words.has(name) : code.slice(0, HEAD).includes(name)));
  return isSpelled ? code : `${symbol}\n${code}`;
}

function dedented(text: string): string {
  const lines = text.replace(/\r\n?/g, '\n').split('\n');
  let indentation: string | undefined;
  for (const line of lines) {
    if (line.trim() === '') continue;
    const own = /^[^\S\n]*/.exec(line)?.[0] as string;
    indentation = indentation === undefined ? own : shared(indentation, own);
  }
  const width = indentation?.length ?? 0;
  return lines.map((line) => (line.trim() === '' ? '' : line.slice(width))).join('\n');
}

function shared(a: string, b: string): string {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return a.slice(0, length);
}
