import { statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { errors } from '../../errors.ts';
import type { FileRules } from '../files/types.ts';
import { identityOf, openForReading, Statements, translated, type DatabaseOptions } from './database.ts';
import { activeEncoder, targetEncoder } from './encoders.ts';
import { bytesIn, jsonIn, numberIn, textIn, toChunk, toFile, type Row } from './rows.ts';
import type { StoreCounts, StoredChunk, StoredEncoder, StoredFile } from './types.ts';

/** How much a word counts by where it stands. */
export interface FieldWeights {
  readonly path: number;
  readonly symbol: number;
  readonly body: number;
}

/** A chunk of a ranking; a higher score is better. */
export interface RankedChunk {
  readonly id: number;
  readonly score: number;
}

/** A vector as it is stored. */
export interface VectorRow {
  readonly id: number;
  readonly vector: Uint8Array;
}

/** A chunk as far as a scan needs it. */
export interface ChunkRow {
  readonly id: number;
  readonly fileId: number;
  readonly kind: number;
  readonly vectorId: number;
}

/**
 * The index of a workspace for a process that answers queries, while another may write it. Each method sees what has been
 * committed by then.
 *
 * Errors of every method: BAD_INDEX, BUSY, WRITE_FAILED (the disk refuses to read).
 */
export class IndexReader {
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

  /** @throws NOT_FOUND (no index yet), BAD_INDEX, UNSUPPORTED, BUSY */
  static open(file: string, options?: DatabaseOptions): IndexReader {
    return new IndexReader(file, openForReading(file, options));
  }

  close(): void {
    this.#database.close();
  }

  /** Changes whenever another process has committed something. Errors: also BAD_INDEX where another file has taken the place of this one. */
  version(): number {
    if (identityOf(this.file) !== this.#identity) throw errors.badIndex(`The index ${this.file} has been set aside and is built again: search again.`);
    return this.#do(() => numberIn(this.#statements.of('PRAGMA data_version').get()!, 'data_version'));
  }

  counts(): StoreCounts {
    return this.#do(() => {
      const row = this.#statements.of('SELECT (SELECT count(*) FROM files) AS files, (SELECT count(*) FROM chunks) AS chunks, (SELECT coalesce(sum(characters), 0) FROM files) AS characters').get()!;
      const bytes = ['', '-wal'].reduce((sum, suffix) => sum + (statSync(`${this.file}${suffix}`, { throwIfNoEntry: false })?.size ?? 0), 0);
      return { files: numberIn(row, 'files'), chunks: numberIn(row, 'chunks'), characters: numberIn(row, 'characters'), bytes };
    });
  }

  /** The share of the files of which every chunk has a vector, 0 to 1; 1 where there is no file. */
  embeddedFiles(encoder: StoredEncoder): number {
    return this.#do(() => {
      const row = this.#statements.of(
        `SELECT (SELECT count(*) FROM files) AS files,
          (SELECT count(DISTINCT c.file) FROM chunks AS c WHERE NOT EXISTS (SELECT 1 FROM vectors AS v WHERE v.encoder = ? AND v.text_hash = c.text_hash)) AS missing`,
      ).get(encoder.id)!;
      const files = numberIn(row, 'files');
      return files === 0 ? 1 : 1 - numberIn(row, 'missing') / files;
    });
  }

  activeEncoder(): StoredEncoder | undefined {
    return this.#do(() => activeEncoder(this.#database));
  }

  targetEncoder(): StoredEncoder | undefined {
    return this.#do(() => targetEncoder(this.#database));
  }

  /** What the last whole look at the workspace left out, by reason; undefined before the first has come to its end. */
  excluded(): Readonly<Record<string, number>> | undefined {
    return this.#do(() => {
      const row = this.#statements.of("SELECT value FROM meta WHERE key = 'excluded'").get();
      return row === undefined ? undefined : jsonIn<Record<string, number>>(row, 'value');
    });
  }

  /** Which files the workspace has in its index: what was last asked for. */
  rules(): Partial<FileRules> {
    return this.#do(() => {
      const row = this.#statements.of("SELECT value FROM meta WHERE key = 'rules'").get();
      return row === undefined ? {} : jsonIn<Partial<FileRules>>(row, 'value');
    });
  }

  /** Files by id, for filters. */
  files(after = 0): Array<{ readonly id: number; readonly path: string; readonly language: string }> {
    return this.#do(() =>
      this.#statements.of('SELECT id, path, language FROM files WHERE id > ? ORDER BY id')
        .all(after)
        .map((row) => ({ id: numberIn(row, 'id'), path: textIn(row, 'path'), language: textIn(row, 'language') })),
    );
  }

  /**
   * Chunks that hold any of the words, best first by FTS5's BM25 (k1 1.2, b 0.75) of the weighted fields, ties by id.
   *
   * @param words as `codeWords` splits them
   * @param prefix the last word may be the beginning of one
   * @param wanted chunks that count; all where left out
   */
  rankByWords(words: readonly string[], { prefix = false, weights, top, wanted }: { prefix?: boolean; weights: FieldWeights; top: number; wanted?: ((id: number) => boolean) | undefined }): RankedChunk[] {
    const terms = words.map((word, i) => `"${word.replaceAll('"', '""')}"${prefix && i === words.length - 1 ? '*' : ''}`);
    if (terms.length === 0) return [];
    return this.#do(() => {
      const rows = this.#statements.of(
        `SELECT rowid AS id, bm25(words, ?, ?, ?) AS rank FROM words WHERE words MATCH ? ORDER BY rank, rowid ${wanted === undefined ? `LIMIT ${top}` : ''}`,
      ).iterate(weights.path, weights.symbol, weights.body, terms.join(' OR '));
      const ranked: RankedChunk[] = [];
      for (const row of rows) {
        const id = numberIn(row, 'id');
        if (wanted !== undefined && !wanted(id)) continue;
        ranked.push({ id, score: -numberIn(row, 'rank') });
        if (ranked.length === top) break;
      }
      return ranked;
    });
  }

  /**
   * Chunks that may hold a text, letter by letter but for upper and lower case: those that hold every three characters in
   * a row of it, in no order.
   *
   * @param text three characters or more
   */
  chunksWithLetters(text: string, most: number): number[] {
    const characters = Array.from(text);
    const parts = new Set(characters.slice(2).map((_, i) => characters.slice(i, i + 3).join('')));
    const match = Array.from(parts, (part) => `"${part.replaceAll('"', '""')}"`).join(' AND ');
    return this.#do(() => this.#statements.of('SELECT rowid AS id FROM trigrams WHERE trigrams MATCH ? LIMIT ?').all(match, most).map((row) => numberIn(row, 'id')));
  }

  /** A chunk by its id; undefined where it has been replaced meanwhile. */
  chunk(id: number): StoredChunk | undefined {
    return this.#do(() => {
      const row = this.#statements.of(
        `SELECT c.id AS id, c.file AS file, f.path AS path, f.language AS language, c.kind AS kind, c.symbol AS symbol, c.start_line AS start_line,
           c.start_column AS start_column, c.end_line AS end_line, c.end_column AS end_column, c.text_hash AS text_hash
         FROM chunks AS c JOIN files AS f ON f.id = c.file WHERE c.id = ?`,
      ).get(id);
      return row === undefined ? undefined : toChunk(row);
    });
  }

  /** Where a chunk belongs; undefined where it has been replaced meanwhile. */
  place(id: number): { readonly fileId: number; readonly kind: number } | undefined {
    return this.#do(() => {
      const row = this.#statements.of('SELECT file, kind FROM chunks WHERE id = ?').get(id);
      return row === undefined ? undefined : { fileId: numberIn(row, 'file'), kind: numberIn(row, 'kind') };
    });
  }

  /** What a file was when it was indexed; undefined where it is no longer in. */
  storedFile(id: number): StoredFile | undefined {
    return this.#do(() => {
      const row = this.#statements.of('SELECT id, path, language, size, mtime, hash FROM files WHERE id = ?').get(id);
      return row === undefined ? undefined : toFile(row);
    });
  }

  /** Hands over the vectors of an encoder that came after `after`, oldest first; what `use` throws ends it. */
  eachVector(encoder: StoredEncoder, after: number, use: (row: VectorRow) => void): void {
    this.#each('SELECT id, vector FROM vectors WHERE id > ? AND encoder = ? ORDER BY id', [after, encoder.id], (row) => use({ id: numberIn(row, 'id'), vector: bytesIn(row, 'vector') }));
  }

  /** Hands over the chunks that have a vector of an encoder, where the chunk or the vector is newer than these. */
  eachChunkWithVector(encoder: StoredEncoder, afterChunk: number, afterVector: number, use: (row: ChunkRow) => void): void {
    const columns = 'SELECT c.id AS id, c.file AS file, c.kind AS kind, v.id AS vector';
    const byVector = `${columns} FROM vectors AS v JOIN chunks AS c ON c.text_hash = v.text_hash WHERE v.id > ? AND v.encoder = ? AND c.id <= ?`;
    const byChunk = `${columns} FROM chunks AS c JOIN vectors AS v ON v.encoder = ? AND v.text_hash = c.text_hash WHERE c.id > ?`;
    this.#each(byVector, [afterVector, encoder.id, afterChunk], (row) => use(toRow(row)));
    this.#each(byChunk, [encoder.id, afterChunk], (row) => use(toRow(row)));
  }

  /** The newest chunk's id. */
  lastChunk(): number {
    return this.#do(() => (this.#statements.of('SELECT max(id) AS id FROM chunks').get()!['id'] as number | null) ?? 0);
  }

  /** One moment of the index for several reads. */
  together<R>(work: () => R): R {
    return this.#do(() => {
      this.#database.exec('BEGIN');
      try {
        return work();
      } finally {
        // After some failures SQLite has ended it already.
        if (this.#database.isTransaction) this.#database.exec('COMMIT');
      }
    });
  }

  /** Without a row held for longer than its turn: there may be a million of them. */
  #each(sql: string, parameters: readonly number[], use: (row: Row) => void): void {
    this.#do(() => {
      for (const row of this.#database.prepare(sql).iterate(...parameters)) use(row);
    });
  }

  #do<R>(work: () => R): R {
    return translated(this.file, work);
  }
}

function toRow(row: Row): ChunkRow {
  return { id: numberIn(row, 'id'), fileId: numberIn(row, 'file'), kind: numberIn(row, 'kind'), vectorId: numberIn(row, 'vector') };
}
