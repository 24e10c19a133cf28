import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, readdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CancelledError } from '../../src/errors.ts';
import { sha256File, writeFileAtomically, writeFolderAtomically } from '../../src/files.ts';
import { snapshot, useFolder } from './folder.ts';

const folder = useFolder();
const put = (name: string) => (temporary: string) => writeFile(join(temporary, name), name);

describe('a file written atomically', () => {
  test('appears under its name alone, and replaces what was there', async () => {
    await writeFileAtomically(folder.path('a.json'), 'one');
    await writeFileAtomically(folder.path('a.json'), 'two');
    expect(await readdir(folder.path())).toEqual(['a.json']);
    expect(await readFile(folder.path('a.json'), 'utf8')).toBe('two');
  });

  test('leaves the old content when writing fails halfway', async () => {
    await writeFileAtomically(folder.path('a.json'), 'old');
    const failing = writeFileAtomically(folder.path('a.json'), async (file) => {
      await file.writeFile('half');
      throw new Error('the source broke');
    });
    await expect(failing).rejects.toThrow('the source broke');
    expect(await snapshot(folder.path())).toEqual({ [folder.path('a.json')]: Buffer.from('old').toString('base64') });
  });

  test('leaves the old content when it is cancelled', async () => {
    await writeFileAtomically(folder.path('a.json'), 'old');
    await expect(
      writeFileAtomically(folder.path('a.json'), 'new', { signal: AbortSignal.abort() }),
    ).rejects.toBeInstanceOf(CancelledError);
    expect(await readdir(folder.path())).toEqual(['a.json']);
    expect(await readFile(folder.path('a.json'), 'utf8')).toBe('old');
  });

  test('says in a sentence that its folder does not exist', async () => {
    await expect(writeFileAtomically(folder.path('no', 'a.json'), 'x')).rejects.toMatchObject({ code: 'WRITE_FAILED' });
  });
});

describe('a folder written atomically', () => {
  test('is not there until it is whole', async () => {
    await writeFolderAtomically(folder.path('out'), async (temporary) => {
      await put('config.json')(temporary);
      expect(await readdir(folder.path())).not.toContain('out');
    });
    expect(await readdir(folder.path())).toEqual(['out']);
    expect(await readdir(folder.path('out'))).toEqual(['config.json']);
  });

  test('leaves nothing behind when it fails or is cancelled', async () => {
    const controller = new AbortController();
    const cancelled = writeFolderAtomically(
      folder.path('out'),
      async (temporary) => {
        await put('config.json')(temporary);
        controller.abort();
      },
      { signal: controller.signal },
    );
    await expect(cancelled).rejects.toBeInstanceOf(CancelledError);
    expect(await readdir(folder.path())).toEqual([]);
  });

  test('does not replace a folder unless it is told to, and then only one of its kind', async () => {
    await writeFolderAtomically(folder.path('out'), put('config.json'));
    await expect(writeFolderAtomically(folder.path('out'), put('new'))).rejects.toMatchObject({ code: 'EXISTS' });
    await mkdir(folder.path('home'));
    await writeFile(folder.path('home', 'thesis.tex'), 'years of work');
    const before = await snapshot(folder.path());
    await expect(
      writeFolderAtomically(folder.path('home'), put('config.json'), { force: true }),
    ).rejects.toMatchObject({ code: 'EXISTS' });
    expect(await snapshot(folder.path())).toEqual(before);
    await writeFolderAtomically(folder.path('out'), put('new'), { force: true });
    expect(await readdir(folder.path('out'))).toEqual(['new']);
    expect((await readdir(folder.path())).sort()).toEqual(['home', 'out']);
  });

  test('keeps the old folder when its replacement fails', async () => {
    await writeFolderAtomically(folder.path('out'), put('config.json'));
    const failing = writeFolderAtomically(folder.path('out'), () => Promise.reject(new Error('no')), { force: true });
    await expect(failing).rejects.toThrow('no');
    expect(await readdir(folder.path('out'))).toEqual(['config.json']);
  });

  test('fills an empty folder, and one that a link points to', async () => {
    await mkdir(folder.path('empty'));
    await symlink(folder.path('empty'), folder.path('link'));
    await writeFolderAtomically(folder.path('link'), put('config.json'));
    expect(await readdir(folder.path('empty'))).toEqual(['config.json']);
  });

  test('removes what a killed process left, and puts back the old folder it had moved aside', async () => {
    const dead = spawn(process.execPath, ['-e', '']);
    await once(dead, 'exit');
    await mkdir(folder.path(`.out.tmp-${dead.pid}-01234567`));
    await mkdir(folder.path(`.out.old-${dead.pid}-01234567`));
    await writeFile(folder.path(`.out.old-${dead.pid}-01234567`, 'config.json'), 'old');
    await mkdir(folder.path(`.out.tmp-${process.pid}-89abcdef`));
    // Left by a process that had this one's number before.
    await mkdir(folder.path(`.out.tmp-${process.pid}-00000000`));
    await utimes(folder.path(`.out.tmp-${process.pid}-00000000`), 1, 1);
    await expect(writeFolderAtomically(folder.path('out'), put('config.json'))).rejects.toMatchObject({ code: 'EXISTS' });
    expect((await readdir(folder.path())).sort()).toEqual([`.out.tmp-${process.pid}-89abcdef`, 'out']);
    expect(await readFile(folder.path('out', 'config.json'), 'utf8')).toBe('old');
  });
});

test('a file is hashed as a stream, and the hash can be cancelled', async () => {
  await writeFile(folder.path('abc'), 'abc');
  expect(await sha256File(folder.path('abc'))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  await expect(sha256File(folder.path('abc'), AbortSignal.abort())).rejects.toBeInstanceOf(CancelledError);
  await expect(sha256File(folder.path('none'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
});
