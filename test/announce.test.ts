import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { announcing, announcingSteps, isAnnounced } from '../src/announce.ts';

const own = [String(process.pid)];
let parent: string;
let folder: string;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'l3prune-announce-'));
  folder = join(parent, 'waiting');
});
afterEach(() => rm(parent, { recursive: true }));

async function* two(): AsyncGenerator<number, void> {
  yield 1;
  yield 2;
}

/** The files in the folder; none where it is not there. */
const files = (): Promise<string[]> => readdir(folder).catch(() => []);

describe('work that is announced', () => {
  test('has a file while it is done, and none when it has ended or failed', async () => {
    expect(await announcing(folder, files)).toEqual(own);
    expect(await files()).toEqual([]);
    await expect(announcing(folder, () => Promise.reject(new Error('mine')))).rejects.toThrow('mine');
    expect(await files()).toEqual([]);
  });

  test('has its file until the last of several has ended, in whatever order', async () => {
    await announcing(folder, async () => {
      await announcing(folder, async () => undefined);
      expect(await files()).toEqual(own);
    });
    expect(await files()).toEqual([]);
    const longer = announcingSteps(folder, two());
    await longer.next();
    await announcing(folder, async () => {
      await longer.next();
      await longer.next();
      expect(await files()).toEqual(own);
    });
    expect(await files()).toEqual([]);
  });

  test('has a file when one piece ends as the next begins', async () => {
    for (let round = 0; round < 50; round++) {
      const ending = announcing(folder, async () => undefined);
      expect(await announcing(folder, files)).toEqual(own);
      await ending;
    }
    expect(await files()).toEqual([]);
  });

  test('in steps has a file from the first step to the end, or until nobody wants more', async () => {
    async function* steps(): AsyncGenerator<string[], string> {
      yield await files();
      return 'done';
    }
    const all = announcingSteps(folder, steps());
    expect(await files()).toEqual([]);
    expect(await all.next()).toEqual({ done: false, value: own });
    expect(await all.next()).toEqual({ done: true, value: 'done' });
    expect(await files()).toEqual([]);
    for await (const seen of announcingSteps(folder, steps())) {
      expect(seen).toEqual(own);
      break;
    }
    expect(await files()).toEqual([]);
  });

  test('is done where nothing can be announced', async () => {
    await writeFile(folder, 'a file in the place of the folder');
    expect(await announcing(folder, async () => 'done')).toBe('done');
  });
});

describe('who looks', () => {
  test('sees what another process has announced, as long as that lives', async () => {
    const announce = `import { announcing } from ${JSON.stringify(new URL('../src/announce.ts', import.meta.url).href)}; await announcing(process.argv[1], () => { console.log('there'); return new Promise(() => setInterval(() => {}, 1000)); });`;
    const other = spawn(process.execPath, ['--input-type=module', '-e', announce, folder]);
    await once(other.stdout, 'data');
    expect(await isAnnounced(folder)).toBe(true);
    other.kill('SIGKILL');
    await once(other, 'exit');
    expect(await files()).toEqual([String(other.pid)]);
    expect(await isAnnounced(folder)).toBe(false);
  });

  test('does not see itself, nor a file that is no number, nor a folder that is not there', async () => {
    expect(await isAnnounced(folder)).toBe(false);
    await announcing(folder, async () => {
      await writeFile(join(folder, 'notes.txt'), '');
      expect(await isAnnounced(folder)).toBe(false);
    });
  });

  test.runIf(process.platform === 'linux')('does not take a process for one that had its number before', async () => {
    await announcing(folder, () => writeFile(join(folder, String(process.ppid)), '1'));
    expect(await isAnnounced(folder)).toBe(false);
  });
});
