import { chunkKinds } from '../chunks/types.ts';
import type { StoredChunk, StoredEncoder, StoredFile } from './types.ts';

export type Row = Readonly<Record<string, unknown>>;

/** Raised where a column holds what nobody has put there: something has written over the file. */
export class UnexpectedValueError extends Error {}

export function numberIn(row: Row, column: string): number {
  const value = row[column];
  if (typeof value !== 'number') throw unexpected(column, value);
  return value;
}

export function textIn(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== 'string') throw unexpected(column, value);
  return value;
}

export function bytesIn(row: Row, column: string): Uint8Array {
  const value = row[column];
  if (!(value instanceof Uint8Array)) throw unexpected(column, value);
  return value;
}

export function jsonIn<T extends object>(row: Row, column: string): T {
  const text = textIn(row, column);
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value === 'object' && value !== null) return value as T;
  } catch {
    // It is said below.
  }
  throw unexpected(column, text);
}

function unexpected(column: string, value: unknown): UnexpectedValueError {
  return new UnexpectedValueError(`${column} holds ${String(value)}`);
}

/** Rows of SQLite as what they stand for. */
export function toFile(row: Row): StoredFile {
  return { id: numberIn(row, 'id'), path: textIn(row, 'path'), language: textIn(row, 'language'), size: numberIn(row, 'size'), mtimeMs: numberIn(row, 'mtime'), hash: bytesIn(row, 'hash') };
}

export function toChunk(row: Row): StoredChunk {
  return {
    id: numberIn(row, 'id'),
    fileId: numberIn(row, 'file'),
    path: textIn(row, 'path'),
    language: textIn(row, 'language'),
    kind: chunkKinds[numberIn(row, 'kind')] ?? 'block',
    symbol: textIn(row, 'symbol'),
    startLine: numberIn(row, 'start_line'),
    startColumn: numberIn(row, 'start_column'),
    endLine: numberIn(row, 'end_line'),
    endColumn: numberIn(row, 'end_column'),
    textHash: bytesIn(row, 'text_hash'),
  };
}

export function toEncoder(row: Row): StoredEncoder {
  return { id: numberIn(row, 'id'), fingerprint: textIn(row, 'fingerprint'), dimensions: numberIn(row, 'dimensions'), source: jsonIn(row, 'source') };
}
