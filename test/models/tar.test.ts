import { spawnSync } from 'node:child_process';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { extractTarball } from '../../src/models/tar.ts';
import { skipBecause } from '../skips.ts';
import { snapshot, useFolder } from './folder.ts';

const folder = useFolder();
const isThere = spawnSync('tar', ['--version'], { encoding: 'utf8' }).stdout?.includes('GNU tar') === true;
if (!isThere) skipBecause('Archives of GNU tar are not read: it is not on this machine.');

/** The files below a folder, by their paths in it. */
const names = async (path: string): Promise<string[]> => Object.keys(await snapshot(path)).map((file) => relative(path, file)).sort();
const put = async (name: string, text: string): Promise<void> => {
  await mkdir(dirname(folder.path('in', name)), { recursive: true });
  await writeFile(folder.path('in', name), text);
};
const pack = (...args: string[]): string => {
  const made = spawnSync('tar', ['-czf', folder.path('a.tgz'), '-C', folder.path('in'), ...args], { encoding: 'utf8' });
  expect(made.stderr.replace(/^tar: Removing leading.*\n/gm, '')).toBe('');
  return folder.path('a.tgz');
};
const unpack = async (archive: string, isWanted: (name: string, bytes: number) => boolean = () => true): Promise<string[]> => {
  await mkdir(folder.path('out'), { recursive: true });
  await extractTarball(archive, isWanted, folder.path('out'));
  return names(folder.path('out'));
};

describe.skipIf(!isThere)('a tar archive', () => {
  test.each(['ustar', 'pax', 'gnu', 'v7'])('in the format %s gives its files', async (format) => {
    await put('package/a.js', 'a'.repeat(1000));
    await put('package/lib/empty.js', '');
    await put('package/lib/b.js', 'é'.repeat(256));
    expect(await unpack(pack(`--format=${format}`, 'package'))).toEqual(['package/a.js', 'package/lib/b.js', 'package/lib/empty.js']);
    expect(await readFile(folder.path('out', 'package/lib/b.js'), 'utf8')).toBe('é'.repeat(256));
  });

  test.each(['pax', 'gnu'])('in the format %s may have names of any length, in any script', async (format) => {
    const long = `package/${'very-long-folder/'.repeat(12)}日本語.js`;
    await put(long, 'here');
    expect(await unpack(pack(`--format=${format}`, 'package'))).toEqual([long]);
  });

  test('gives what is wanted alone, which is told each name and size', async () => {
    await put('package/a.js', '12345');
    await put('package/b.md', 'words');
    const asked: [string, number][] = [];
    expect(await unpack(pack('package/a.js', 'package/b.md'), (name, bytes) => asked.push([name, bytes]) > 0 && name.endsWith('.js'))).toEqual(['package/a.js']);
    expect(asked).toEqual([
      ['package/a.js', 5],
      ['package/b.md', 5],
    ]);
  });

  test('leads nowhere out of the folder: no links, no parents, no roots', async () => {
    await put('package/a.js', 'a');
    await put('b.js', 'b');
    await symlink('/etc/passwd', folder.path('in', 'package/link.js'));
    const archive = pack('-P', '--transform=s,^b.js,../b.js,', 'package', 'b.js', folder.path('in', 'b.js'));
    expect(await unpack(archive)).toEqual(['package/a.js']);
    expect(await names(folder.path())).not.toContain('b.js');
  });

  test('that is cut off or damaged anywhere is refused or gives whole files, and never hangs', async () => {
    await put('package/a.js', 'text '.repeat(300));
    const whole = gunzipSync(await readFile(pack('package')));
    for (let at = 0; at < 3000; at += 97) {
      const cut = gzipSync(whole.subarray(0, at));
      const flipped = gzipSync(whole.map((byte, i) => (i === at ? byte ^ 0x55 : byte)));
      for (const bytes of [cut, flipped]) {
        await writeFile(folder.path('a.tgz'), bytes);
        await extractTarball(folder.path('a.tgz'), () => true, folder.path('out')).catch((error: unknown) => {
          expect(error).toMatchObject({ code: 'DOWNLOAD_CORRUPT' });
        });
      }
    }
  });

  test('is refused where it is none', async () => {
    for (const bytes of [Buffer.from('no archive'), gzipSync(Buffer.from('words '.repeat(200)))]) {
      await writeFile(folder.path('a.tgz'), bytes);
      await expect(unpack(folder.path('a.tgz'))).rejects.toMatchObject({ code: 'DOWNLOAD_CORRUPT' });
    }
  });
});
