import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Place } from '../../src/data/lines.ts';
import { UnpackedRows } from '../../src/data/unpacked-rows.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'l3prune-unpacked-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('unpacked rows', () => {
  test('come back as they were put in, in any order, from memory and from the disk', async () => {
    const rows = fc.array(fc.string({ unit: 'grapheme', maxLength: 40 }), { minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(rows, fc.infiniteStream(fc.nat()), async (texts, picks) => {
        const unpacked = new UnpackedRows(folder, 256);
        const places: Place[] = [];
        for (const text of texts) places.push(await unpacked.add(text));
        const order = Array.from({ length: 40 }, () => picks.next().value % texts.length);
        const read = await unpacked.read(order.map((row) => places[row]!));
        await unpacked.close();
        expect(read.map(String)).toEqual(order.map((row) => texts[row]));
      }),
    );
  });

  test('leave no file when they are closed', async () => {
    const unpacked = new UnpackedRows(folder, 100);
    for (let i = 0; i < 10; i++) await unpacked.add('x'.repeat(60));
    await unpacked.close();
    expect(await readdir(folder)).toEqual([]);
  });

  test.skipIf(process.platform === 'win32')('leave no file when their process is killed, because theirs has no name', async () => {
    const unpacked = new UnpackedRows(folder, 100);
    for (let i = 0; i < 10; i++) await unpacked.add('x'.repeat(60));
    expect(await readdir(folder)).toEqual([]);
    await unpacked.close();
  });

  test('that fit in memory need no folder', async () => {
    const unpacked = new UnpackedRows(path.join(folder, 'none'));
    const place = await unpacked.add('text');
    expect(String((await unpacked.read([place]))[0])).toBe('text');
    await unpacked.close();
  });

  test('for which there is no place are a failure of one sentence', async () => {
    const unpacked = new UnpackedRows(path.join(folder, 'none'), 10);
    await unpacked.add('12345');
    await expect(unpacked.add('67890x')).rejects.toMatchObject({ code: 'WRITE_FAILED', message: expect.stringMatching(/none cannot hold what is unpacked/) });
  });
});
