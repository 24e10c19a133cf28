import { createHash } from 'node:crypto';
import { codeWords } from '../../text/words.ts';
import { chunkText } from '../chunks/chunk.ts';
import { chunkContext } from '../chunks/context.ts';
import type { Chunk } from '../chunks/types.ts';
import type { NewChunk } from '../store/types.ts';

/** A chunk with what an encoder reads of it. */
export interface ChunkedText {
  readonly chunk: Chunk;
  readonly context: string;
  /** SHA-256 of that, 16 of 32 bytes: what a vector is kept by. */
  readonly textHash: Uint8Array;
}

/**
 * Cuts a file's text, and says what an encoder reads of each part. The same text gives the same, whatever folder it is in.
 * `isFallback` where it was cut at its blank lines because its language's parser gave up.
 */
export async function cutFile(text: string, path: string): Promise<{ readonly texts: readonly ChunkedText[]; readonly isFallback: boolean }> {
  const { chunks, fallback } = await chunkText(text, path);
  const texts = chunks.map((chunk) => {
    const context = chunkContext(chunk, text);
    return { chunk, context, textHash: hashOf(context) };
  });
  return { texts, isFallback: fallback !== undefined };
}

/** The texts of that alone. */
export async function chunkedTexts(text: string, path: string): Promise<readonly ChunkedText[]> {
  return (await cutFile(text, path)).texts;
}

/** A chunk as the store takes it, with the words that it is found by. */
export function toNewChunk({ chunk, textHash }: ChunkedText, text: string): NewChunk {
  const { kind, symbol, startLine, startColumn, endLine, endColumn, start, end } = chunk;
  const body = text.slice(start, end);
  return { kind, symbol, startLine, startColumn, endLine, endColumn, textHash, symbolWords: wordsOf(symbol), bodyWords: wordsOf(body), body };
}

/** Words with a space between, as the store's tokenizer takes them apart again. */
export function wordsOf(text: string): string {
  return codeWords(text).join(' ');
}

function hashOf(text: string): Uint8Array {
  return createHash('sha256').update(text).digest().subarray(0, 16);
}
