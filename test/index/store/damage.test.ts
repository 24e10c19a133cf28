import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { IndexReader } from '../../../src/index/store/reader.ts';
import { schemaVersion } from '../../../src/index/store/schema.ts';
import { IndexWriter } from '../../../src/index/store/writer.ts';
import { codeOf, connect, dimensions, exercise, fill, indexFile, integrity, newFile, read } from './sample.ts';

const isLong = process.env['L3PRUNE_LONG'] === '1';
const files = 30;
const pageSize = 8192;
let file: string;
let intact: Buffer;

beforeEach(async () => {
  file = await indexFile();
  fill(file, files);
  intact = readFileSync(file);
});

/** What lies beside the index under the name of a damaged one. */
function setAsides(): string[] {
  return readdirSync(path.dirname(file)).filter((name) => name.includes('.damaged-'));
}

function restore(bytes: Uint8Array): void {
  for (const name of readdirSync(path.dirname(file))) rmSync(path.join(path.dirname(file), name), { recursive: true });
  writeFileSync(file, bytes);
}

/** Opens what is there, does everything with it, and begins anew where it says that it is damaged: that always works. */
function survive(): void {
  const { writer } = IndexWriter.openOrRebuild(file);
  const failures = exercise(file, writer);
  expect(['', 'BAD_INDEX']).toContain(failures.join(' '));
  writer.close();
  if (failures.length === 0) return;
  const { writer: anew } = IndexWriter.rebuild(file);
  expect(exercise(file, anew)).toEqual([]);
  anew.close();
}

test('an index that is whole is opened as it is', () => {
  const { writer, rebuilt } = IndexWriter.openOrRebuild(file);
  expect(rebuilt).toBeUndefined();
  expect(writer.files()).toHaveLength(files);
  expect(exercise(file, writer)).toEqual([]);
  writer.close();
  expect(integrity(file)).toBe('ok');
});

describe('a damaged index', () => {
  test.for([
    { what: 'text', bytes: Buffer.from('these are my notes\n'.repeat(1000)) },
    { what: 'a few bytes', bytes: Buffer.from('SQLite') },
    { what: 'zeros', bytes: Buffer.alloc(5 * pageSize) },
  ])('of $what is kept under another name, and there is a new one', ({ bytes }) => {
    restore(bytes);
    expect(codeOf(() => read(file))).toBe('BAD_INDEX');
    const { writer, rebuilt } = IndexWriter.openOrRebuild(file);
    expect(rebuilt!.isKnown).toBe(false);
    expect(readFileSync(rebuilt!.setAside!).equals(bytes)).toBe(true);
    expect(exercise(file, writer)).toEqual([]);
    writer.close();
  });

  test('of no bytes is one that is not there yet', () => {
    restore(Buffer.alloc(0));
    expect(codeOf(() => read(file))).toBe('NOT_FOUND');
    survive();
    expect(setAsides()).toEqual([]);
  });

  test('that was cut off anywhere is noticed when it is opened', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: intact.length - 1 }), (length) => {
        restore(intact);
        truncateSync(file, length);
        expect(codeOf(() => read(file))).toBe('BAD_INDEX');
        const { writer, rebuilt } = IndexWriter.openOrRebuild(file);
        expect(rebuilt).toBeDefined();
        writer.close();
      }),
      { seed: 3, numRuns: isLong ? 300 : 20 },
    );
  });

  test('with a page that something has written over is no crash', () => {
    const page = fc.integer({ min: 0, max: intact.length / pageSize - 1 });
    fc.assert(
      fc.property(page, fc.nat(pageSize - 1), fc.uint8Array({ minLength: 1, maxLength: 400 }), (number, at, bytes) => {
        const changed = Buffer.from(intact);
        changed.set(bytes.subarray(0, pageSize - at), number * pageSize + at);
        // A version that is newer is another matter.
        changed.writeInt32BE(schemaVersion, 60);
        restore(changed);
        survive();
      }),
      { seed: 5, numRuns: isLong ? 3000 : 60 },
    );
  });

  test('with two pages in each other’s place is no crash', () => {
    const page = fc.integer({ min: 1, max: intact.length / pageSize - 1 });
    fc.assert(
      fc.property(page, page, (a, b) => {
        const changed = Buffer.from(intact);
        intact.copy(changed, a * pageSize, b * pageSize, (b + 1) * pageSize);
        intact.copy(changed, b * pageSize, a * pageSize, (a + 1) * pageSize);
        restore(changed);
        survive();
      }),
      { seed: 7, numRuns: isLong ? 500 : 20 },
    );
  });

  test.for([1, 5, 200])('beside the log of another, of %i files, is no crash, and another’s files are in none', (others) => {
    const folder = path.join(path.dirname(file), 'other');
    mkdirSync(folder);
    const other = path.join(folder, 'index.sqlite');
    const holder = IndexWriter.open(other);
    holder.together(() => {
      for (let i = 0; i < others; i++) holder.putFile(newFile(`other${i}.ts`, 3));
    });
    copyFileSync(`${other}-wal`, `${file}-wal`);
    holder.close();
    survive();
  });

  test('that was not closed is looked through when it is next opened', () => {
    const database = connect(file);
    database.exec("UPDATE meta SET value = '0' WHERE key = 'clean'; PRAGMA wal_checkpoint(TRUNCATE)");
    database.close();
    const changed = readFileSync(file);
    changed.fill(0xff, 3 * pageSize, 4 * pageSize);
    restore(changed);
    const { writer, rebuilt } = IndexWriter.openOrRebuild(file);
    expect(rebuilt).toBeDefined();
    writer.close();
  });

  test.for(['meta', 'files', 'chunks', 'words', 'trigrams', 'vectors', 'encoders'])('without its table of %s says so', (table) => {
    const database = connect(file);
    database.exec(`DROP TABLE ${table}`);
    database.close();
    survive();
  });

  test('whose version is none says so', () => {
    for (const version of [0, -7]) {
      restore(intact);
      const database = connect(file);
      database.exec(`PRAGMA user_version = ${version}`);
      database.close();
      const { writer, rebuilt } = IndexWriter.openOrRebuild(file);
      expect(rebuilt).toBeDefined();
      writer.close();
    }
  });

  test('that somebody removes while it is open is begun anew', () => {
    const writer = IndexWriter.open(file);
    const reader = IndexReader.open(file);
    rmSync(file);
    expect(codeOf(() => writer.putFile(newFile('a.ts', 1)))).toBe('BAD_INDEX');
    expect(codeOf(() => reader.version())).toBe('BAD_INDEX');
    writer.close();
    reader.close();
    const { writer: anew, rebuilt } = IndexWriter.rebuild(file);
    expect(rebuilt).toEqual({ setAside: undefined, isKnown: false });
    anew.close();
  });

  test('that still says what it was to have gives way to one that is to have the same', () => {
    const database = connect(file);
    database.exec("UPDATE files SET hash = 'no hash' WHERE id = 2");
    database.close();
    const writer = IndexWriter.open(file);
    expect(codeOf(() => writer.files())).toBe('BAD_INDEX');
    writer.close();
    const { writer: anew, rebuilt } = IndexWriter.rebuild(file);
    expect(rebuilt!.isKnown).toBe(true);
    expect(anew.rules()).toEqual({ exclude: ['x'] });
    expect(anew.targetEncoder()).toMatchObject({ fingerprint: 'fingerprint', dimensions });
    expect(anew.files()).toEqual([]);
    anew.close();
  });

  test('is named when it is set aside while somebody reads it', () => {
    const reader = IndexReader.open(file);
    IndexWriter.rebuild(file).writer.close();
    expect(() => reader.version()).toThrow(/has been set aside and is built again/);
    reader.close();
  });
});

describe('an index of a newer version', () => {
  test('is refused with a sentence and left as it is', () => {
    const database = connect(file);
    database.exec(`PRAGMA user_version = ${schemaVersion + 1}; PRAGMA journal_mode = DELETE`);
    database.close();
    const before = readFileSync(file);
    expect(() => IndexWriter.openOrRebuild(file)).toThrow(/was written by a newer version of L3Prune: use that version, or delete the file/);
    expect(codeOf(() => IndexWriter.openOrRebuild(file))).toBe('UNSUPPORTED');
    expect(codeOf(() => IndexReader.open(file))).toBe('UNSUPPORTED');
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(readdirSync(path.dirname(file))).toEqual(['index.sqlite']);
  });
});
