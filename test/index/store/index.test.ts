import { statSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { IndexReader } from '../../../src/index/store/reader.ts';
import { IndexWriter } from '../../../src/index/store/writer.ts';
import { codeOf, connect, dimensions, fill, hashed, indexFile, newFile, put, source, vectorsOf } from './sample.ts';
import { vectorsIn } from './vectors.ts';

let file: string;
beforeEach(async () => {
  file = await indexFile();
});

const weights = { path: 1, symbol: 2, body: 1 };

describe('what is written', () => {
  test('is there after the index was closed and opened again', () => {
    fill(file, 2);
    const writer = IndexWriter.open(file);
    expect(writer.files()).toEqual([
      { id: 1, path: 'file0.ts', language: 'typescript', size: 100, mtimeMs: 0, hash: hashed('file0.ts 0') },
      { id: 2, path: 'file1.ts', language: 'typescript', size: 100, mtimeMs: 0, hash: hashed('file1.ts 0') },
    ]);
    expect(writer.refused()).toEqual([{ path: 'image.ts', size: 1, mtimeMs: 1, reason: 'binary' }]);
    expect(writer.rules()).toEqual({ exclude: ['x'] });
    expect(writer.activeEncoder()).toEqual({ id: 1, fingerprint: 'fingerprint', dimensions, source });
    expect(writer.coverage(writer.activeEncoder()!)).toEqual({ texts: 10, embedded: 10 });
    writer.close();
  });

  test('of a file takes the place of what its path had, refused or not', () => {
    const writer = IndexWriter.open(file);
    writer.putFile(newFile('a.ts', 3));
    writer.putFile(newFile('a.ts', 2, 1));
    const reader = IndexReader.open(file);
    expect(reader.counts()).toMatchObject({ files: 1, chunks: 2 });
    expect(reader.rankByWords(['chunk'], { weights, top: 10 }).map(({ id }) => id)).toEqual([4, 5]);
    expect(reader.chunksWithLetters('in version', 10)).toEqual([4, 5]);
    writer.putRefused({ path: 'a.ts', size: 1, mtimeMs: 1, reason: 'binary' });
    expect(reader.counts()).toMatchObject({ files: 0, chunks: 0 });
    expect(reader.rankByWords(['chunk'], { weights, top: 10 })).toEqual([]);
    writer.putFile(newFile('a.ts', 1));
    expect(writer.refused()).toEqual([]);
    reader.close();
    writer.close();
  });

  test('of a file is there whole or not at all', () => {
    const writer = IndexWriter.open(file);
    writer.putFile(newFile('a.ts', 3));
    const bad = newFile('a.ts', 3, 1);
    const broken = { ...bad, chunks: [...bad.chunks, { ...bad.chunks[0]!, get body(): string { throw new Error('read error'); } }] };
    expect(() => writer.putFile(broken)).toThrow('read error');
    expect(writer.files()).toMatchObject([{ path: 'a.ts', mtimeMs: 0 }]);
    const both = (): void =>
      writer.together(() => {
        writer.putFile(newFile('b.ts', 1));
        writer.putFile(broken);
      });
    expect(both).toThrow('read error');
    expect(writer.files().map(({ path }) => path)).toEqual(['a.ts']);
    writer.close();
  });

  test('is nothing of a file that is no longer trusted but its place', () => {
    fill(file, 1);
    const writer = IndexWriter.open(file);
    expect(writer.distrusted()).toEqual([]);
    writer.distrustFile('file0.ts');
    expect(writer.distrusted()).toEqual(['file0.ts']);
    expect(writer.files()).toMatchObject([{ path: 'file0.ts', hash: new Uint8Array() }]);
    writer.putFile(newFile('file0.ts', 1));
    expect(writer.distrusted()).toEqual([]);
    writer.close();
  });
});

describe('vectors', () => {
  test('of texts that no chunk has are kept as long as they are no more than the others, the youngest of them', () => {
    const writer = IndexWriter.open(file);
    const encoder = writer.setTargetEncoder('fingerprint', dimensions, source);
    for (let version = 0; version < 4; version++) {
      put(writer, encoder, newFile('a.ts', 5, version));
      writer.dropOrphans();
    }
    const reader = IndexReader.open(file);
    const kept = vectorsIn(reader, encoder).map(({ textHash }) => Buffer.from(textHash).toString('hex'));
    const expected = [2, 3].flatMap((version) => newFile('a.ts', 5, version).chunks.map(({ textHash }) => Buffer.from(textHash).toString('hex')));
    expect(kept).toEqual(expected);
    reader.close();
    writer.close();
  });

  test('of another length than their encoder’s, and of no encoder, are dropped and made again', () => {
    fill(file, 2);
    const database = connect(file);
    database.exec("UPDATE vectors SET vector = x'00' WHERE id = 3; UPDATE vectors SET vector = 7 WHERE id = 4; UPDATE vectors SET encoder = 9 WHERE id = 5");
    database.close();
    const writer = IndexWriter.open(file);
    expect(writer.dropMisfits()).toBe(3);
    expect(writer.pending(writer.targetEncoder()!, 0, 10).map(({ chunkId }) => chunkId)).toEqual([3, 4, 5]);
    expect(writer.dropMisfits()).toBe(0);
    writer.close();
  });

  test('that are there already stay', () => {
    fill(file, 1);
    const writer = IndexWriter.open(file);
    const encoder = writer.targetEncoder()!;
    writer.putVectors(encoder, vectorsOf(newFile('file0.ts', 5)).map(({ textHash }) => ({ textHash, vector: new Uint8Array(dimensions + 4) })));
    const reader = IndexReader.open(file);
    expect(vectorsIn(reader, encoder).map(({ vector }) => Buffer.from(vector))).toEqual(vectorsOf(newFile('file0.ts', 5)).map(({ vector }) => Buffer.from(vector)));
    reader.close();
    writer.close();
  });
});

describe('a reader beside a writer', () => {
  test('sees what is committed and nothing of what is not, and that it is new', () => {
    fill(file, 1);
    const writer = IndexWriter.open(file);
    const reader = IndexReader.open(file);
    const before = reader.version();
    const paths = (): string[] => reader.files().map(({ path }) => path);
    writer.together(() => {
      writer.putFile(newFile('a.ts', 3));
      expect(paths()).toEqual(['file0.ts']);
      expect(reader.version()).toBe(before);
      writer.putFile(newFile('b.ts', 3));
    });
    expect(reader.version()).not.toBe(before);
    expect(paths()).toEqual(['file0.ts', 'a.ts', 'b.ts']);
    expect(reader.version()).toBe(reader.version());
    reader.close();
    writer.close();
  });

  test('sees one moment for as long as it reads together', () => {
    fill(file, 1);
    const writer = IndexWriter.open(file);
    const reader = IndexReader.open(file);
    reader.together(() => {
      const before = reader.counts();
      writer.removePath('file0.ts');
      expect(reader.counts()).toMatchObject({ files: before.files, chunks: before.chunks });
    });
    expect(reader.counts()).toMatchObject({ files: 0, chunks: 0 });
    reader.close();
    writer.close();
  });

  test('that fails while it reads together says what failed', () => {
    fill(file, 1);
    const reader = IndexReader.open(file);
    expect(() => reader.together(() => { throw new Error('mine'); })).toThrow('mine');
    expect(reader.counts()).toMatchObject({ files: 1 });
    reader.close();
  });

  test('finds no index where none has been begun', () => {
    expect(codeOf(() => IndexReader.open(file))).toBe('NOT_FOUND');
    connect(file).exec('PRAGMA journal_mode = WAL');
    expect(codeOf(() => IndexReader.open(file))).toBe('NOT_FOUND');
  });
});

test('a writer that ends leaves no log, though others read', () => {
  fill(file, 2);
  const reader = IndexReader.open(file);
  const writer = IndexWriter.open(file);
  writer.removePath('file0.ts');
  writer.close();
  expect(statSync(`${file}-wal`).size).toBe(0);
  expect(reader.counts()).toMatchObject({ files: 1 });
  reader.close();
});

test('a writer that is closed twice is closed', () => {
  const writer = IndexWriter.open(file);
  writer.close();
  writer.close();
});
