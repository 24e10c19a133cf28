import { closeSync, existsSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import type * as Sqlite from 'node:sqlite';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { errors, L3PruneError } from '../../errors.ts';
import { UnexpectedValueError } from './rows.ts';
import { migrations, schemaVersion } from './schema.ts';

const defaultBusyMilliseconds = 5000;

export interface DatabaseOptions {
  /** How long a statement waits for another process before it gives up; 5 s where left out. */
  readonly busyMilliseconds?: number | undefined;
}

/** Whether an index is no intact one: whoever may write sets it aside and begins anew. */
export function isDamaged(error: unknown): boolean {
  return error instanceof L3PruneError && error.code === 'BAD_INDEX';
}

/** Says so. */
export function damaged(file: string, cause: unknown): L3PruneError {
  return errors.badIndex(`The index ${file} is damaged: run l3prune index to build it again.`, cause);
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
export function openForWriting(file: string, { busyMilliseconds = defaultBusyMilliseconds }: DatabaseOptions = {}): DatabaseSync {
  const { DatabaseSync } = sqlite();
  return translated(file, () => {
    checkLength(file);
    const database = new DatabaseSync(file, { timeout: busyMilliseconds });
    try {
      // Before anything else: what a newer version has made is left as it is.
      checkVersion(database, file);
      // 13 vectors of 580 bytes fit a page of 8 KB; of 4 KB, 6.
      database.exec('PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = OFF; PRAGMA journal_size_limit = 16777216;');
      probeFullText(database);
      migrate(database);
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
export function openForReading(file: string, { busyMilliseconds = defaultBusyMilliseconds }: DatabaseOptions = {}): DatabaseSync {
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
const codes = { error: 1, busy: 5, locked: 6, readonly: 8, io: 10, corrupt: 11, full: 13, cannotOpen: 14, constraint: 19, mismatch: 20, notADatabase: 26 } as const;

function asOurs(file: string, error: unknown): unknown {
  if (error instanceof L3PruneError) return error;
  const { errcode: code, code: name, message } = error as { errcode?: number; code?: string; message: string };
  // A whole number that no JavaScript number holds: none of ours.
  if (error instanceof UnexpectedValueError || name === 'ERR_OUT_OF_RANGE') return damaged(file, error);
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
    // The statements are ours and what they store fits: where it does not, something has written over the file.
    case codes.constraint:
    case codes.mismatch:
    case codes.corrupt:
    case codes.notADatabase:
      return damaged(file, error);
    case codes.error:
      // What is wrong with a query is not the file's fault.
      return /^fts5|syntax error/.test(message) ? error : damaged(file, error);
    default:
      return error;
  }
}

function migrate(database: DatabaseSync): void {
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
  if (version < 0) throw damaged(file, new Error(`version ${version}`));
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
 * SQLite meets a page that is cut off only when it reads it, which may be in the midst of an answer. Errors: BAD_INDEX.
 */
function checkLength(file: string): void {
  // Another process may be putting its log into the file just now: what is cut off is so at a second look.
  if (isCutOff(file) && isCutOff(file)) throw damaged(file, new Error('It is shorter than it says.'));
}

function isCutOff(file: string): boolean {
  // While there is a log beside the file the header may speak of pages that are in the log alone.
  if (!existsSync(file) || hasLog(file)) return false;
  const { header, size } = beginningOf(file);
  if (header.length < headerBytes) return size > 0;
  const pageSize = header.readUInt16BE(16) === 1 ? 65_536 : header.readUInt16BE(16);
  return size < pageSize * header.readUInt32BE(28);
}

/** As far as the number of pages. */
const headerBytes = 32;

/** A file that cannot be read begins with nothing: what is wrong with it, SQLite says. */
function beginningOf(file: string): { readonly header: Buffer; readonly size: number } {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, 'r');
    const header = Buffer.alloc(headerBytes);
    const read = readSync(descriptor, header, 0, headerBytes, 0);
    return { header: header.subarray(0, read), size: fstatSync(descriptor).size };
  } catch {
    return { header: Buffer.alloc(0), size: 0 };
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** What tells a file from another that has taken its place; undefined where there is none. */
export function identityOf(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.ino;
}

/** Whether something waits in the log beside a database to be put into it. */
export function hasLog(file: string): boolean {
  return (statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0;
}

/** The statements of a connection, each prepared once. */
export class Statements {
  readonly #database: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  of(sql: string): StatementSync {
    let statement = this.#prepared.get(sql);
    if (statement === undefined) this.#prepared.set(sql, (statement = this.#database.prepare(sql)));
    return statement;
  }
}
