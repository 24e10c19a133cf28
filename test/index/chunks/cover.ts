import { expect } from 'vitest';
import { chunkText } from '../../../src/index/chunks/chunk.ts';
import type { Chunk } from '../../../src/index/chunks/types.ts';

/** Where a place is, counted character by character: lines end at LF, CRLF and a lone CR. */
function placesOf(text: string): { line: number; column: number }[] {
  let line = 1;
  let column = 1;
  return [...text.split(''), ''].map((character, i) => {
    const place = { line, column: column++ };
    if (character === '\n' || (character === '\r' && text[i + 1] !== '\n')) [line, column] = [line + 1, 1];
    return place;
  });
}

/** Cuts a text, and holds what is promised of the chunks of any text. */
export async function checkedChunks(text: string, file: string): Promise<readonly Chunk[]> {
  const { chunks } = await chunkText(text, file);
  const places = placesOf(text);
  let last = 0;
  for (const chunk of chunks) {
    const own = text.slice(chunk.start, chunk.end);
    expect(chunk.end).toBeGreaterThan(chunk.start);
    expect(text.slice(last, chunk.start).trim()).toBe('');
    expect(own.trim()).toBe(own);
    expect(own.replace(/\s/g, '').length).toBeLessThanOrEqual(1800);
    expect(own.isWellFormed() || !text.isWellFormed()).toBe(true);
    expect({ line: chunk.startLine, column: chunk.startColumn }).toEqual(places[chunk.start]);
    const { line, column } = places[chunk.end - 1]!;
    expect({ line: chunk.endLine, column: chunk.endColumn - 1 }).toEqual({ line, column });
    last = chunk.end;
  }
  expect(text.slice(last).trim()).toBe('');
  return chunks;
}

/** "kind symbol first-last" for every chunk. */
export const outlineOf = async (text: string, file: string): Promise<string[]> =>
  (await checkedChunks(text, file)).map(({ kind, symbol, startLine, endLine }) => `${kind} ${symbol} ${startLine}-${endLine}`.replace('  ', ' '));
