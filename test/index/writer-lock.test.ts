import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { acquireWriterLock, checkHeld, staleMilliseconds } from '../../src/index/writer-lock.ts';

let lock: string;

beforeEach(async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'l3prune-writer-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  lock = path.join(folder, 'writer.lock');
});

/** Another process that holds the lock, and says whether it has lost it whenever a line comes in. */
const holder = `
  import { createInterface } from 'node:readline';
  import { acquireWriterLock } from ${JSON.stringify(new URL('../../src/index/writer-lock.ts', import.meta.url).href)};
  const held = await acquireWriterLock({ lock: process.argv[1] });
  console.log('held');
  for await (const _ of createInterface({ input: process.stdin })) console.log((await held.isLost()) ? 'lost' : 'held');
`;

async function holdElsewhere(): Promise<ChildProcessByStdio<Writable, Readable, null>> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', holder, lock], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  await line(child);
  return child;
}

async function line(child: { readonly stdout: Readable }): Promise<string> {
  const [data] = (await once(child.stdout, 'data')) as [Buffer];
  return data.toString().trim();
}

async function grow(old: string): Promise<void> {
  const time = new Date(Date.now() - staleMilliseconds - 1000);
  await utimes(old, time, time);
}

describe('the right to write an index', () => {
  test('is one process’s at a time, and another says which', async () => {
    const child = await holdElsewhere();
    await expect(acquireWriterLock({ lock })).rejects.toMatchObject({
      code: 'BUSY',
      message: `Another process (${child.pid}) keeps this workspace's index up to date: search it, or stop that one first.`,
    });
  });

  test('passes at once from a process that was killed, however long ago', async () => {
    const child = await holdElsewhere();
    child.kill('SIGKILL');
    await once(child, 'exit');
    await (await acquireWriterLock({ lock })).release();
    await writeFile(lock, `${child.pid} 1`);
    await grow(lock);
    await (await acquireWriterLock({ lock })).release();
  });

  test('passes from a process that hangs, which finds that it has lost it', async () => {
    const child = await holdElsewhere();
    child.kill('SIGSTOP');
    await grow(lock);
    const held = await acquireWriterLock({ lock });
    expect(await held.isLost()).toBe(false);
    await checkHeld(held);
    child.kill('SIGCONT');
    child.stdin.write('?\n');
    expect(await line(child)).toBe('lost');
    // What it gives back is not its own any more.
    child.stdin.end();
    await once(child, 'exit');
    expect(await readFile(lock, 'utf8')).toMatch(new RegExp(`^${process.pid} `));
    await held.release();
  });

  test('does not pass from a process that only was asleep with the machine', async () => {
    const child = await holdElsewhere();
    await grow(lock);
    await expect(acquireWriterLock({ lock })).rejects.toMatchObject({ code: 'BUSY' });
    child.stdin.write('?\n');
    expect(await line(child)).toBe('held');
  });

  test('is lost with the lock file, and that is said', async () => {
    const held = await acquireWriterLock({ lock });
    await rm(lock);
    expect(await held.isLost()).toBe(true);
    await expect(checkHeld(held)).rejects.toMatchObject({ code: 'BUSY', message: expect.stringMatching(/^Another process has taken over/) });
    await held.release();
  });
});
