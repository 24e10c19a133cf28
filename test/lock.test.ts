import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
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

  test('goes to one of those of this process that ask at the same moment', async () => {
    const asked = await Promise.allSettled(Array.from({ length: 8 }, acquire));
    const got = asked.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    expect(got).toHaveLength(1);
    await got[0]!();
    await (await acquire())();
  });

  test("that has its name and not yet its content is another's", async () => {
    await writeFile(lock, '');
    const asked = acquire();
    await writeFile(lock, String(process.ppid));
    await expect(asked).rejects.toMatchObject({ code: 'BUSY' });
  });

  test('that never got its content is one that was left', async () => {
    await writeFile(lock, '');
    await utimes(lock, 1, 1);
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
