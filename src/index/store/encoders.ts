import type { DatabaseSync } from 'node:sqlite';
import { toEncoder } from './rows.ts';
import type { StoredEncoder } from './types.ts';

/** The encoder whose vectors answer queries: complete, or the only one. */
export function activeEncoder(database: DatabaseSync): StoredEncoder | undefined {
  return byMeta(database, 'active');
}

/** The encoder that the workspace is to have; its vectors may still be missing. */
export function targetEncoder(database: DatabaseSync): StoredEncoder | undefined {
  return byMeta(database, 'target');
}

export function encoderRows(database: DatabaseSync): StoredEncoder[] {
  return database.prepare('SELECT id, fingerprint, dimensions, source FROM encoders').all().map(toEncoder);
}

function byMeta(database: DatabaseSync, key: string): StoredEncoder | undefined {
  const id = database.prepare('SELECT value FROM meta WHERE key = ?').get(key)?.['value'];
  return id === undefined ? undefined : encoderRows(database).find((encoder) => String(encoder.id) === id);
}
