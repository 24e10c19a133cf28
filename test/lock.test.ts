import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { errors } from '../src/errors.ts';
import { acquireLock } from '../src/lock.ts';

let folder: string;
let lock: string;
const acquire = (): Promise<() => Promise<void>> => acquireLock(lock, (pid) => errors.busy(`${pid} holds it.`));

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'l3prune-lock-'));
  lock = join(folder, 'lock');
});
afterEach(() => rm(folder, { recursive: true }));

describe('a lock', () => {
  test('is refused to others while it is held, and gone when it is given back', async () => {
    const release = await acquire();
    await expect(acquire()).rejects.toMatchObject({ code: 'BUSY' });
    await release();
    await expect(readFile(lock)).rejects.toMatchObject({ code: 'ENOENT' });
    await (await acquire())();
  });

  test('of a living process is refused', async () => {
    const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    await once(other, 'spawn');
    await writeFile(lock, String(other.pid));
    await expect(acquire()).rejects.toMatchObject({ code: 'BUSY', message: `${other.pid} holds it.` });
    other.kill('SIGKILL');
    await once(other, 'exit');
    await (await acquire())();
  });

  test('that names this very number, or that of another that began at another time, is one that was left', async () => {
    for (const left of [String(process.pid), `${process.pid} 1`, ...(process.platform === 'linux' ? [`${process.ppid} 1`] : [])]) {
      await writeFile(lock, left);
      await (await acquire())();
    }
  });
});
