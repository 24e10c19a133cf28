import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { codeWords } from '../../text/words.ts';
import { readAgain, readWorkspaceFile } from '../files/read.ts';
import { DEFAULT_MOST_BYTES } from '../files/rules.ts';
import type { ParsedQuery } from './query.ts';
import type { StoredChunk, StoredFile } from '../store/types.ts';

/** Lines of a chunk as they stand in the file now. */
export interface Snippet {
  /** 1-based. */
  readonly startLine: number;
  readonly lines: readonly string[];
  /** Lines that hold words of the query, 1-based. */
  readonly matchedLines: readonly number[];
}

/** A file as it is now, beside what it was when it was indexed. */
export interface CurrentFile {
  readonly lines: readonly string[];
  /** Whether it has changed since: places in it may be off. */
  readonly isChanged: boolean;
}

const mostLines = 8;
/** A line of data may have no end. */
const mostLineCharacters = 400;

/** Reads a file of the workspace again; undefined where it is gone, is no text any more or has become far larger. */
export async function readCurrent(root: string, stored: StoredFile): Promise<CurrentFile | undefined> {
  const absolute = join(root, stored.path);
  const found = await lstat(absolute).catch(() => undefined);
  if (found === undefined) return undefined;
  const file = { path: stored.path, absolute, size: found.size, mtimeMs: found.mtimeMs, language: stored.language };
  if (found.size === stored.size && found.mtimeMs === stored.mtimeMs) {
    const text = await readAgain(file);
    return text === undefined ? undefined : { lines: linesOf(text), isChanged: false };
  }
  // What has been written into it since may be a secret.
  const read = await readWorkspaceFile(file, { mostBytes: Math.max(DEFAULT_MOST_BYTES, 2 * stored.size) });
  if ('reason' in read) return undefined;
  return { lines: linesOf(read.text), isChanged: Buffer.compare(read.hash, stored.hash) !== 0 };
}

function linesOf(text: string): string[] {
  return text.split(/\r\n|\n|\r/);
}

/** The lines of a chunk that say most about the query: those with its words, or its first ones. */
export function snippetOf(chunk: StoredChunk, { lines }: CurrentFile, { words, isUnfinished }: Pick<ParsedQuery, 'words' | 'isUnfinished'>): Snippet {
  const own = lines.slice(chunk.startLine - 1, chunk.endLine);
  const wanted = new Set(words);
  const begun = isUnfinished ? words.at(-1) : undefined;
  const isWanted = (word: string): boolean => wanted.has(word) || (begun !== undefined && word.startsWith(begun));
  const hits = own.map((line) => new Set(codeWords(line.slice(0, mostLineCharacters)).filter(isWanted)).size);
  const start = own.length <= mostLines ? 0 : bestWindow(hits);
  return {
    startLine: chunk.startLine + start,
    lines: own.slice(start, start + mostLines).map((line) => line.slice(0, mostLineCharacters)),
    matchedLines: hits.flatMap((hit, i) => (hit > 0 && i >= start && i < start + mostLines ? [chunk.startLine + i] : [])),
  };
}

/** Where so many lines in a row have most words; the first of several. */
function bestWindow(hits: readonly number[]): number {
  let sum = hits.slice(0, mostLines).reduce((a, b) => a + b, 0);
  let best = { start: 0, sum };
  for (let start = 1; start + mostLines <= hits.length; start++) {
    sum += hits[start + mostLines - 1]! - hits[start - 1]!;
    if (sum > best.sum) best = { start, sum };
  }
  return best.start;
}
