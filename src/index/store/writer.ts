import { renameSync, rmSync, statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { errors } from '../../errors.ts';
import { reason } from '../../files.ts';
import { chunkKinds } from '../chunks/types.ts';
import type { FileRules } from '../files/types.ts';
import { vectorBytes } from '../scan/quantize.ts';
import { damaged, hasLog, identityOf, inTransaction, isDamaged, openForWriting, Statements, translated, type DatabaseOptions } from './database.ts';
import { activeEncoder, encoderRows, targetEncoder } from './encoders.ts';
import { IndexReader } from './reader.ts';
import { bytesIn, jsonIn, numberIn, textIn, toFile } from './rows.ts';
import type { EncoderSource, NewFile, RefusedFile, StoredEncoder, StoredFile } from './types.ts';

/** A text that has no vector of an encoder yet, by the first chunk that holds it. */
export interface PendingText {
  readonly textHash: Uint8Array;
  readonly chunkId: number;
  readonly path: string;
  readonly language: string;
}

/** A writer, and what became of what was there before it. */
export interface OpenedWriter {
  readonly writer: IndexWriter;
  /** Undefined where that was whole. */
  readonly rebuilt?: Rebuilt;
}

/** An index that has been begun anew. */
export interface Rebuilt {
  /** Where the damaged file is now; undefined where somebody has removed it. */
  readonly setAside: string | undefined;
  /** Whether it still said which files and which encoder it was to have: the new one is to have the same. */
  readonly isKnown: boolean;
}

/** Vectors of texts that no file holds any more are kept up to this share of all, for branches that come back. */
const mostOrphans = 0.5;

/**
 * The index of a workspace for the one process that writes it. Every call that changes something is a transaction of its
 * own, or part of one that `together` holds: a process that is killed loses the last of them and nothing else.
 *
 * Errors of every method: BAD_INDEX, WRITE_FAILED, BUSY.
 */
export class IndexWriter {
  readonly file: string;
  readonly #database: DatabaseSync;
  readonly #statements: Statements;
  readonly #identity: number | undefined;

  private constructor(file: string, database: DatabaseSync) {
    this.file = file;
    this.#database = database;
    this.#statements = new Statements(database);
    this.#identity = identityOf(file);
  }

  /** @throws BAD_INDEX, UNSUPPORTED, WRITE_FAILED, BUSY */
  static open(file: string, options?: DatabaseOptions): IndexWriter {
    const isLeft = hasLog(file);
    const writer = new IndexWriter(file, openForWriting(file, options));
    try {
      writer.#begin(isLeft);
      return writer;
    } catch (error) {
      writer.#database.close();
      throw error;
    }
  }

  /** The same; a damaged file is set aside under another name first. */
  static openOrRebuild(file: string, options?: DatabaseOptions): OpenedWriter {
    try {
      return { writer: IndexWriter.open(file, options) };
    } catch (error) {
      if (!isDamaged(error)) throw error;
      return IndexWriter.rebuild(file, options);
    }
  }

  /** Sets aside what is there and begins anew. Nobody of this process may have it open. */
  static rebuild(file: string, options?: DatabaseOptions): OpenedWriter {
    const asked = askedOf(file);
    const aside = setAside(file);
    const writer = IndexWriter.open(file, options);
    if (asked !== undefined) writer.setRules(asked.rules);
    if (asked?.encoder !== undefined) writer.setTargetEncoder(asked.encoder.fingerprint, asked.encoder.dimensions, asked.encoder.source);
    return { writer, rebuilt: { setAside: aside, isKnown: asked !== undefined } };
  }

  /** Nothing where it is closed already. */
  close(): void {
    if (!this.#database.isOpen) return;
    try {
      this.#do(() => this.#setMeta('clean', '1'));
      // Also where others read on: a log that is left is taken for that of a process that was killed.
      this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch {
      // It will be checked when it is next opened.
    }
    this.#database.close();
  }

  /** Looks whether every page is what it should be, where the last writer did not come to its end. */
  #begin(isLogLeft: boolean): void {
    this.#do(() => {
      const clean = this.#statements.of("SELECT value FROM meta WHERE key = 'clean'").get();
      const isChecked = isLogLeft || (clean !== undefined && clean['value'] !== '1');
      const found = isChecked ? this.#database.prepare('PRAGMA quick_check(1)').get()?.['quick_check'] : 'ok';
      if (found !== 'ok') throw damaged(this.file, new Error(String(found)));
      this.#setMeta('clean', '0');
    });
  }

  /** Several changes as one transaction; a part of it where one is under way. */
  together<R>(work: () => R): R {
    return this.#do(() => {
      if (this.#database.isTransaction) return work();
      // Somebody has removed the file: SQLite would go on and write what nobody can find.
      if (identityOf(this.file) !== this.#identity) throw damaged(this.file, new Error('It has been removed.'));
      return inTransaction(this.#database, work);
    });
  }

  files(): StoredFile[] {
    return this.#do(() => this.#statements.of('SELECT id, path, language, size, mtime, hash FROM files').all().map(toFile));
  }

  refused(): RefusedFile[] {
    return this.#do(() =>
      this.#statements.of('SELECT path, size, mtime, reason FROM refused').all().map((row) => ({ path: textIn(row, 'path'), size: numberIn(row, 'size'), mtimeMs: numberIn(row, 'mtime'), reason: textIn(row, 'reason') })),
    );
  }

  /** Stores a file with its chunks in the place of what its path had. */
  putFile(file: NewFile): void {
    this.together(() => {
      this.removePath(file.path);
      const { lastInsertRowid: fileId } = this.#statements.of('INSERT INTO files (path, language, size, mtime, hash, characters) VALUES (?, ?, ?, ?, ?, ?)').run(
        file.path,
        file.language,
        file.size,
        file.mtimeMs,
        file.hash,
        file.characters,
      );
      const chunk = this.#statements.of('INSERT INTO chunks (file, kind, symbol, start_line, start_column, end_line, end_column, text_hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
      const words = this.#statements.of('INSERT INTO words (rowid, path, symbol, body) VALUES (?, ?, ?, ?)');
      const trigrams = this.#statements.of('INSERT INTO trigrams (rowid, body) VALUES (?, ?)');
      for (const { kind, symbol, startLine, startColumn, endLine, endColumn, textHash, symbolWords, bodyWords, body } of file.chunks) {
        const { lastInsertRowid: id } = chunk.run(fileId, chunkKinds.indexOf(kind), symbol, startLine, startColumn, endLine, endColumn, textHash);
        words.run(id, file.pathWords, symbolWords, bodyWords);
        trigrams.run(id, body);
      }
    });
  }

  putRefused({ path, size, mtimeMs, reason }: RefusedFile): void {
    this.together(() => {
      this.removePath(path);
      this.#statements.of('INSERT INTO refused (path, size, mtime, reason) VALUES (?, ?, ?, ?)').run(path, size, mtimeMs, reason);
    });
  }

  /** A file whose bytes are the same and whose time is not. */
  touchFile(id: number, size: number, mtimeMs: number): void {
    this.#do(() => this.#statements.of('UPDATE files SET size = ?, mtime = ? WHERE id = ?').run(size, mtimeMs, id));
  }

  /** Has a file read and cut again by the next look at it, though its size and time be the same. */
  distrustFile(path: string): void {
    this.#do(() => this.#statements.of("UPDATE files SET mtime = -1, hash = x'' WHERE path = ?").run(path));
  }

  /** Paths of the files of which that holds. */
  distrusted(): string[] {
    return this.#do(() => this.#statements.of("SELECT path FROM files WHERE hash = x''").all().map((row) => textIn(row, 'path')));
  }

  /** Takes a path out; nothing where it is not in. */
  removePath(path: string): void {
    this.together(() => {
      this.#statements.of('DELETE FROM refused WHERE path = ?').run(path);
      const row = this.#statements.of('SELECT id FROM files WHERE path = ?').get(path);
      if (row === undefined) return;
      const id = numberIn(row, 'id');
      for (const table of ['words', 'trigrams']) this.#statements.of(`DELETE FROM ${table} WHERE rowid IN (SELECT id FROM chunks WHERE file = ?)`).run(id);
      this.#statements.of('DELETE FROM chunks WHERE file = ?').run(id);
      this.#statements.of('DELETE FROM files WHERE id = ?').run(id);
    });
  }

  /** The encoder whose vectors answer queries: complete, or the only one. */
  activeEncoder(): StoredEncoder | undefined {
    return this.#do(() => activeEncoder(this.#database));
  }

  /** The encoder that the workspace is to have. */
  targetEncoder(): StoredEncoder | undefined {
    return this.#do(() => targetEncoder(this.#database));
  }

  /** Makes an encoder the one that the workspace is to have; it answers at once where there is no other. */
  setTargetEncoder(fingerprint: string, dimensions: number, source: EncoderSource): StoredEncoder {
    return this.together(() => {
      const insert = 'INSERT INTO encoders (fingerprint, dimensions, source) VALUES (?, ?, ?) ON CONFLICT (fingerprint) DO UPDATE SET dimensions = excluded.dimensions, source = excluded.source';
      this.#statements.of(insert).run(fingerprint, dimensions, JSON.stringify(source));
      const encoder = encoderRows(this.#database).find((row) => row.fingerprint === fingerprint)!;
      this.#setMeta('target', String(encoder.id));
      if (activeEncoder(this.#database) === undefined) this.#setMeta('active', String(encoder.id));
      return encoder;
    });
  }

  /** Has an encoder answer queries, and drops all others with their vectors. */
  activate(encoder: StoredEncoder): void {
    this.together(() => {
      if (encoderRows(this.#database).length === 1 && activeEncoder(this.#database)?.id === encoder.id) return;
      this.#setMeta('active', String(encoder.id));
      this.#statements.of('DELETE FROM vectors WHERE encoder <> ?').run(encoder.id);
      this.#statements.of('DELETE FROM encoders WHERE id <> ?').run(encoder.id);
    });
  }

  /** Different texts of chunks, and those of them that have a vector. */
  coverage(encoder: StoredEncoder): { readonly texts: number; readonly embedded: number } {
    return this.#do(() => {
      const row = this.#statements.of(
        `SELECT count(*) AS texts, count(v.id) AS embedded FROM (SELECT DISTINCT text_hash FROM chunks) AS c
         LEFT JOIN vectors AS v ON v.encoder = ? AND v.text_hash = c.text_hash`,
      ).get(encoder.id)!;
      return { texts: numberIn(row, 'texts'), embedded: numberIn(row, 'embedded') };
    });
  }

  /** The next texts without a vector, by chunk, from the chunk after `after` on. */
  pending(encoder: StoredEncoder, after: number, limit: number): PendingText[] {
    return this.#do(() =>
      this.#statements.of(
        `SELECT c.id AS id, c.text_hash AS text_hash, f.path AS path, f.language AS language FROM chunks AS c JOIN files AS f ON f.id = c.file
         WHERE c.id > ? AND NOT EXISTS (SELECT 1 FROM vectors AS v WHERE v.encoder = ? AND v.text_hash = c.text_hash)
         ORDER BY c.id LIMIT ?`,
      )
        .all(after, encoder.id, limit)
        .map((row) => ({ chunkId: numberIn(row, 'id'), textHash: bytesIn(row, 'text_hash'), path: textIn(row, 'path'), language: textIn(row, 'language') })),
    );
  }

  /** Stores vectors of texts as one transaction; one that is there stays. */
  putVectors(encoder: StoredEncoder, vectors: ReadonlyArray<{ readonly textHash: Uint8Array; readonly vector: Uint8Array }>): void {
    this.together(() => {
      const insert = this.#statements.of('INSERT OR IGNORE INTO vectors (encoder, text_hash, vector) VALUES (?, ?, ?)');
      for (const { textHash, vector } of vectors) insert.run(encoder.id, textHash, vector);
    });
  }

  /** Drops vectors that are not as long as their encoder's are, so that they are made again; how many. */
  dropMisfits(): number {
    return this.#do(() => {
      const misfits = `SELECT v.id FROM vectors AS v LEFT JOIN encoders AS e ON e.id = v.encoder WHERE typeof(v.vector) <> 'blob' OR e.id IS NULL OR length(v.vector) <> e.dimensions + ?`;
      return Number(this.#statements.of(`DELETE FROM vectors WHERE id IN (${misfits})`).run(vectorBytes(0)).changes);
    });
  }

  /** Drops the oldest vectors of texts that no chunk has any more, where they have become many. */
  dropOrphans(): number {
    return this.#do(() => {
      const orphan = 'NOT EXISTS (SELECT 1 FROM chunks AS c WHERE c.text_hash = vectors.text_hash)';
      const all = numberIn(this.#statements.of('SELECT count(*) AS n FROM vectors').get()!, 'n');
      const orphans = numberIn(this.#statements.of(`SELECT count(*) AS n FROM vectors WHERE ${orphan}`).get()!, 'n');
      const excess = Math.ceil(orphans - (mostOrphans / (1 - mostOrphans)) * (all - orphans));
      if (excess <= 0) return 0;
      this.#statements.of(`DELETE FROM vectors WHERE id IN (SELECT id FROM vectors WHERE ${orphan} ORDER BY id LIMIT ?)`).run(excess);
      return excess;
    });
  }

  /** What the last whole look at the workspace left out, by reason: shown in the status. */
  setExcluded(counts: Readonly<Record<string, number>>): void {
    this.#do(() => this.#setMeta('excluded', JSON.stringify(counts)));
  }

  /** Which files the workspace has in its index: what was last asked for, where anything was. */
  rules(): Partial<FileRules> {
    return this.#do(() => {
      const row = this.#statements.of("SELECT value FROM meta WHERE key = 'rules'").get();
      return row === undefined ? {} : jsonIn<Partial<FileRules>>(row, 'value');
    });
  }

  setRules(rules: Partial<FileRules>): void {
    this.#do(() => this.#setMeta('rules', JSON.stringify(rules)));
  }

  /** Merges what many small changes left in pieces; worth it after a first build. */
  optimize(): void {
    this.#do(() => this.#database.exec("INSERT INTO words (words) VALUES ('optimize'); INSERT INTO trigrams (trigrams) VALUES ('optimize'); PRAGMA wal_checkpoint(TRUNCATE);"));
  }

  #setMeta(key: string, value: string): void {
    this.#statements.of('INSERT OR REPLACE INTO meta VALUES (?, ?)').run(key, value);
  }

  #do<R>(work: () => R): R {
    return translated(this.file, work);
  }
}

/** What was asked of an index, as far as a damaged one still says it. */
function askedOf(file: string): { readonly rules: Partial<FileRules>; readonly encoder: StoredEncoder | undefined } | undefined {
  try {
    const reader = IndexReader.open(file);
    try {
      return { rules: reader.rules(), encoder: reader.targetEncoder() };
    } finally {
      reader.close();
    }
  } catch {
    return undefined;
  }
}

/** Renames a damaged database; its log goes, it belongs to that file alone. Nothing where somebody has removed it. Errors: WRITE_FAILED. */
function setAside(file: string): string | undefined {
  const found = statSync(file, { throwIfNoEntry: false });
  const time = (found?.mtime ?? new Date()).toISOString().replace(/\D/g, '').slice(0, 14);
  const aside = `${file}.damaged-${time}`;
  try {
    if (found !== undefined) renameSync(file, aside);
    for (const suffix of ['-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true });
    return found && aside;
  } catch (error) {
    throw errors.writeFailed(`The index ${file} is damaged and cannot be set aside: ${reason(error)}.`, error);
  }
}
