import { chunkKinds } from '../chunks/types.ts';
import type { StoredChunk, StoredFile } from './types.ts';

/** Rows of SQLite as what they stand for. */
export function toFile(row: Record<string, unknown>): StoredFile {
  return { id: row['id'] as number, path: row['path'] as string, language: row['language'] as string, size: row['size'] as number, mtimeMs: row['mtime'] as number, hash: row['hash'] as Uint8Array };
}

export function toChunk(row: Record<string, unknown>): StoredChunk {
  return {
    id: row['id'] as number,
    fileId: row['file'] as number,
    path: row['path'] as string,
    language: row['language'] as string,
    kind: chunkKinds[row['kind'] as number] ?? 'block',
    symbol: row['symbol'] as string,
    startLine: row['start_line'] as number,
    startColumn: row['start_column'] as number,
    endLine: row['end_line'] as number,
    endColumn: row['end_column'] as number,
    textHash: row['text_hash'] as Uint8Array,
  };
}
