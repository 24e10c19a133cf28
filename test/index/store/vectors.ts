import { DatabaseSync } from 'node:sqlite';
import type { IndexReader } from '../../../src/index/store/reader.ts';
import type { StoredEncoder } from '../../../src/index/store/types.ts';

/** All vectors of an encoder with the texts that they are of, oldest first, past the reader's own way to them. */
export function vectorsIn({ file }: IndexReader, encoder: StoredEncoder): Array<{ readonly textHash: Uint8Array; readonly vector: Uint8Array }> {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    const rows = database.prepare('SELECT text_hash, vector FROM vectors WHERE encoder = ? ORDER BY id').all(encoder.id);
    return rows.map((row) => ({ textHash: row['text_hash'] as Uint8Array, vector: row['vector'] as Uint8Array }));
  } finally {
    database.close();
  }
}
