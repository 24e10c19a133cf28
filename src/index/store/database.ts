import { existsSync, statSync, openSync, readSync, closeSync } from 'node:fs';
import type * as Sqlite from 'node:sqlite';
import type { DatabaseSync } from 'node:sqlite';
import { errors, L3PruneError } from '../../errors.ts';
import { migrations, schemaVersion } from './schema.ts';

/** How long a statement waits for another process before it gives up. */
const busyMilliseconds = 5000;

/** Raised where the file is no intact database: whoever may write sets it aside and begins anew. */
export class DamagedIndexError extends L3PruneError {
  constructor(file: string, cause: unknown) {
    super('BAD_INDEX', `The index ${file} is damaged: run l3prune index to build it again.`, { cause });
  }
}

/** Node's own SQLite, asked for when it is needed: an older Node has none, and all the rest runs there. Errors: UNSUPPORTED. */
function sqlite(): typeof Sqlite {
  const module = process.getBuiltinModule?.('node:sqlite') as typeof Sqlite | undefined;
  if (module === undefined) throw tooOld();
  return module;
}

function tooOld(cause?: unknown): L3PruneError {
  return errors.unsupported(`This Node (${process.version}) has no SQLite with full-text search: use Node 22.16 or newer, or VS Code 1.106 or newer.`, cause);
}

/**
 * Opens the database of the one process that writes, making and migrating its tables.
 *
 * @throws BAD_INDEX (damaged), UNSUPPORTED (of a newer version; no SQLite), WRITE_FAILED, BUSY
 */
export function openForWriting(file: string): DatabaseSync {
  const { DatabaseSync } = sqlite();
  return translated(file, () => {
    checkLength(file);
    const database = new DatabaseSync(file, { timeout: busyMilliseconds });
    try {
      // 13 vectors of 580 bytes fit a page of 8 KB; of 4 KB, 6.
      database.exec('PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = OFF; PRAGMA journal_size_limit = 16777216;');
      probeFullText(database);
      migrate(database, file);
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  });
}

/**
 * Opens a database to read, while another process may write it.
 *
 * @throws NOT_FOUND (no index yet), BAD_INDEX, UNSUPPORTED, BUSY
 */
export function openForReading(file: string): DatabaseSync {
  const { DatabaseSync } = sqlite();
  if (!existsSync(file)) throw errors.notFound(`There is no index of this workspace yet: run l3prune index.`);
  return translated(file, () => {
    checkLength(file);
    const database = new DatabaseSync(file, { readOnly: true, timeout: busyMilliseconds });
    try {
      if (versionOf(database) === 0) throw errors.notFound(`There is no index of this workspace yet: run l3prune index.`);
      checkVersion(database, file);
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  });
}

/** Does work in a transaction of its own, and undoes it where it throws. */
export function inTransaction<R>(database: DatabaseSync, work: () => R): R {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    // After a full disk SQLite has already rolled back.
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

/** Does work with a database and makes of SQLite's failures sentences of ours. */
export function translated<R>(file: string, work: () => R): R {
  try {
    return work();
  } catch (error) {
    throw asOurs(file, error);
  }
}

/** What SQLite calls its results: the low byte of its extended codes. */
const codes = { busy: 5, locked: 6, readonly: 8, io: 10, corrupt: 11, full: 13, cannotOpen: 14, notADatabase: 26 } as const;

function asOurs(file: string, error: unknown): unknown {
  if (error instanceof L3PruneError) return error;
  const code = (error as { errcode?: number }).errcode;
  if (code === undefined) return error;
  switch (code & 0xff) {
    case codes.busy:
    case codes.locked:
      return errors.busy(`Another program holds the index ${file}: close it and try again.`, error);
    case codes.readonly:
      return errors.writeFailed(`The index ${file} is read-only: make it writable, or name another data home with --home.`, error);
    case codes.full:
      return errors.writeFailed(`The disk is full: free some space and run l3prune index again; what is indexed is kept.`, error);
    case codes.io:
      return errors.writeFailed(`The disk refuses to read or write the index ${file}: check it and try again.`, error);
    case codes.cannotOpen:
      return errors.writeFailed(`The index ${file} cannot be opened: check that its folder can be written.`, error);
    case codes.corrupt:
    case codes.notADatabase:
      return new DamagedIndexError(file, error);
    default:
      return error;
  }
}

function migrate(database: DatabaseSync, file: string): void {
  checkVersion(database, file);
  const version = versionOf(database);
  if (version === schemaVersion) return;
  inTransaction(database, () => {
    for (const statements of migrations.slice(version)) database.exec(statements);
    database.exec(`PRAGMA user_version = ${schemaVersion}`);
  });
}

function checkVersion(database: DatabaseSync, file: string): void {
  const version = versionOf(database);
  if (version > schemaVersion)
    throw errors.unsupported(`The index ${file} was written by a newer version of L3Prune: use that version, or delete the file to build it again.`);
}

function versionOf(database: DatabaseSync): number {
  return database.prepare('PRAGMA user_version').get()!['user_version'] as number;
}

function probeFullText(database: DatabaseSync): void {
  try {
    database.exec("CREATE VIRTUAL TABLE temp.probe USING fts5 (a, content = '', contentless_delete = 1); DROP TABLE temp.probe;");
  } catch (error) {
    if (/no such module/.test((error as Error).message)) throw tooOld(error);
    throw error;
  }
}

/**
 * SQLite meets a page that is cut off only when it reads it, which may be in the midst of an answer. While there is a log
 * beside the file the header may speak of pages that are in the log alone.
 */
function checkLength(file: string): void {
  if (!existsSync(file) || (statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0) return;
  const { size } = statSync(file);
  const header = Buffer.alloc(32);
  const descriptor = openSync(file, 'r');
  try {
    const read = readSync(descriptor, header, 0, header.length, 0);
    if (size === 0) return;
    const isOurs = read === header.length && header.toString('latin1', 0, 16) === 'SQLite format 3\0';
    const pageSize = header.readUInt16BE(16) === 1 ? 65_536 : header.readUInt16BE(16);
    if (!isOurs || size < pageSize * header.readUInt32BE(28)) throw new DamagedIndexError(file, new Error(`${size} bytes of ${pageSize * header.readUInt32BE(28)}`));
  } finally {
    closeSync(descriptor);
  }
}
