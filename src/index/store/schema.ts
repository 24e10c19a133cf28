/**
 * The tables of an index. Vectors are kept by what was encoded and by which encoder, not by file, so that a file that
 * moves, or comes back with a branch, finds its own.
 */

/** Raised by one with each migration. */
export const schemaVersion = 1;

/**
 * Statements that bring a database from the version before to version i + 1. Ids are never given twice: a reader knows by
 * them what is new to it.
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

  CREATE TABLE files (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL UNIQUE,
    language TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime REAL NOT NULL,
    -- Of the file's bytes, 16 of SHA-256's 32.
    hash BLOB NOT NULL,
    -- Characters that are indexed.
    characters INTEGER NOT NULL
  );

  -- Files that were read and hold nothing to index: not read again until they change.
  CREATE TABLE refused (
    path TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    mtime REAL NOT NULL,
    reason TEXT NOT NULL
  ) WITHOUT ROWID;

  CREATE TABLE chunks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    file INTEGER NOT NULL REFERENCES files (id),
    kind INTEGER NOT NULL,
    symbol TEXT NOT NULL,
    start_line INTEGER NOT NULL,
    start_column INTEGER NOT NULL,
    end_line INTEGER NOT NULL,
    end_column INTEGER NOT NULL,
    -- Of what an encoder reads, 16 of SHA-256's 32.
    text_hash BLOB NOT NULL
  );
  CREATE INDEX chunks_by_file ON chunks (file);
  CREATE INDEX chunks_by_text ON chunks (text_hash);

  -- Words as codeWords splits them; rowid is the chunk's id. The text itself stays in the user's files.
  CREATE VIRTUAL TABLE words USING fts5 (path, symbol, body, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 0');

  -- The same chunks by every three characters in a row: what a word does not begin with, and what is no word.
  CREATE VIRTUAL TABLE trigrams USING fts5 (body, content = '', contentless_delete = 1, detail = none, tokenize = 'trigram');

  CREATE TABLE encoders (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Of everything that changes a vector.
    fingerprint TEXT NOT NULL UNIQUE,
    dimensions INTEGER NOT NULL,
    -- What opens it again: see EncoderSource.
    source TEXT NOT NULL
  );

  CREATE TABLE vectors (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    encoder INTEGER NOT NULL REFERENCES encoders (id),
    text_hash BLOB NOT NULL,
    -- As scan/quantize.ts packs it.
    vector BLOB NOT NULL
  );
  CREATE UNIQUE INDEX vectors_by_text ON vectors (encoder, text_hash);
  `,
];
