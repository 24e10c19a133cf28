import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { onTestFinished } from 'vitest';
import { IndexReader } from '../../../src/index/store/reader.ts';
import type { EncoderSource, NewChunk, NewFile, StoredEncoder } from '../../../src/index/store/types.ts';
import { IndexWriter } from '../../../src/index/store/writer.ts';
import { L3PruneError } from '../../../src/errors.ts';

export const dimensions = 64;
export const source: EncoderSource = { model: 'model', name: 'model', layers: 2, maxLength: 256, precision: 'float32' };

/** Where an index of one test lies; its folder is there. */
export async function indexFile(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'l3prune-store-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return path.join(folder, 'index.sqlite');
}

export function hashed(text: string): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(text).digest().subarray(0, 16));
}

/** A file of so many chunks, each with words and a text of its own. */
export function newFile(name: string, chunks: number, version = 0): NewFile {
  return {
    path: name,
    language: 'typescript',
    size: 100,
    mtimeMs: version,
    hash: hashed(`${name} ${version}`),
    characters: 100,
    pathWords: name,
    chunks: Array.from({ length: chunks }, (_, i): NewChunk => {
      const body = `chunk ${i} of ${name} in version ${version} ${'filler '.repeat(20)}`;
      return { kind: 'function', symbol: `f${i}`, startLine: i + 1, startColumn: 1, endLine: i + 1, endColumn: 9, textHash: hashed(body), symbolWords: `f${i}`, bodyWords: body, body };
    }),
  };
}

export function vectorsOf(file: NewFile): Array<{ textHash: Uint8Array; vector: Uint8Array }> {
  return file.chunks.map(({ textHash }) => ({ textHash, vector: new Uint8Array(dimensions + 4).fill(textHash[0]!) }));
}

/** Writes an index of so many files of five chunks with their vectors, and ends as a writer should. */
export function fill(file: string, files: number): void {
  const writer = IndexWriter.open(file);
  const encoder = writer.setTargetEncoder('fingerprint', dimensions, source);
  for (let i = 0; i < files; i++) put(writer, encoder, newFile(`file${i}.ts`, 5));
  writer.setExcluded({ binary: 1 });
  writer.setRules({ exclude: ['x'] });
  writer.putRefused({ path: 'image.ts', size: 1, mtimeMs: 1, reason: 'binary' });
  writer.close();
}

export function put(writer: IndexWriter, encoder: StoredEncoder, file: NewFile): void {
  writer.together(() => {
    writer.putFile(file);
    writer.putVectors(encoder, vectorsOf(file));
  });
}

/** Does everything once that can be done with an index, and gives the codes of what it failed with. */
export function exercise(file: string, writer: IndexWriter): string[] {
  const encoder = { id: 1, fingerprint: 'fingerprint', dimensions, source };
  const failures = [
    ...[
      () => writer.files(),
      () => writer.refused(),
      () => writer.rules(),
      () => writer.dropMisfits(),
      () => writer.pending(writer.activeEncoder() ?? encoder, 0, 1000),
      () => writer.coverage(writer.targetEncoder() ?? encoder),
      () => writer.setTargetEncoder('fingerprint', dimensions, source),
      () => put(writer, writer.activeEncoder() ?? encoder, newFile('file1.ts', 7, 2)),
      () => put(writer, writer.activeEncoder() ?? encoder, newFile('new.ts', 7)),
      () => writer.putRefused({ path: 'file2.ts', size: 1, mtimeMs: 1, reason: 'binary' }),
      () => writer.touchFile(3, 1, 1),
      () => writer.removePath('file4.ts'),
      () => writer.dropOrphans(),
      () => writer.setExcluded({}),
      () => writer.setRules({}),
    ].map(codeOf),
    codeOf(() => read(file)),
    codeOf(() => writer.activate(writer.setTargetEncoder('other', dimensions, source))),
  ];
  return [...new Set(failures.filter((code) => code !== ''))];
}

/** Reads everything of an index. */
export function read(file: string): void {
  const reader = IndexReader.open(file);
  try {
    reader.together(() => {
      const encoder = reader.activeEncoder() ?? { id: 1, fingerprint: 'fingerprint', dimensions, source };
      reader.version();
      reader.counts();
      reader.excluded();
      reader.embeddedFiles(encoder);
      reader.rankByWords(['chunk', 'fill'], { prefix: true, weights: { path: 1, symbol: 2, body: 1 }, top: 50 });
      reader.chunksWithLetters('version', 100);
      for (const { id } of reader.files()) reader.storedFile(id);
      for (let id = 1; id <= reader.lastChunk() && id < 1000; id++) reader.chunk(id);
      reader.eachVector(encoder, 0, () => undefined);
      reader.eachChunkWithVector(encoder, 0, 0, () => undefined);
    });
  } finally {
    reader.close();
  }
}

/** The code of what was thrown, '' where nothing was, and all of what is no sentence of ours. */
export function codeOf(work: () => unknown): string {
  try {
    work();
    return '';
  } catch (error) {
    return error instanceof L3PruneError ? error.code : `${(error as Error).stack}`;
  }
}

/** A connection past the store's own, closed after the test. */
export function connect(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { enableForeignKeyConstraints: false });
  onTestFinished(() => {
    if (database.isOpen) database.close();
  });
  return database;
}

/** What SQLite says of its file, page by page and index by index. */
export function integrity(file: string): unknown {
  const database = new DatabaseSync(file);
  try {
    return database.prepare('PRAGMA integrity_check').all().map((row) => row['integrity_check']).join('\n');
  } finally {
    database.close();
  }
}
