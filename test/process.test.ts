import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { describe, expect, test, vi } from 'vitest';
import { runToEnd } from '../src/process.ts';
import { useFolder } from './models/folder.ts';
import { within } from './worker/harness.ts';

const folder = useFolder();

/** Runs a script of Node's, whose arguments are the paths given. */
const run = (script: string, options: Parameters<typeof runToEnd>[1], ...paths: string[]) => runToEnd([process.execPath, '-e', script, ...paths], options);

describe('a program that is run to its end', () => {
  test('gives its exit code, and its output with and without what it complained of', async () => {
    const script = 'process.stdin.on("data", (text) => { console.log(`${text}!`); console.error("well"); process.exitCode = 3; })';
    expect(await run(script, { input: 'hello' })).toEqual({ code: 3, stdout: 'hello!\n', output: expect.stringMatching(/^(hello!\nwell\n|well\nhello!\n)$/) });
  });

  test('and cannot be started is an error of the system', async () => {
    await expect(runToEnd(['/nowhere/program'])).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('has no exit code where its time was over', async () => {
    expect(await run('setInterval(() => {}, 1000)', { limitMs: 100 })).toMatchObject({ code: null });
  });
});

describe('a program that is cancelled', () => {
  /** A program that says that it runs, does not want to end, and has started another that keeps its pipes open. */
  const stubborn = `
    const { spawn } = require('node:child_process');
    const { renameSync, writeFileSync } = require('node:fs');
    const other = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 5000)'], { stdio: 'inherit' });
    process.on('SIGTERM', () => {});
    setInterval(() => {}, 1000);
    writeFileSync(process.argv[1] + '.new', JSON.stringify([process.pid, other.pid]));
    renameSync(process.argv[1] + '.new', process.argv[1]);
  `;

  test('is gone within two seconds, also where it does not want to and has started another', async () => {
    const controller = new AbortController();
    const started = folder.path('pids');
    const pending = run(stubborn, { signal: controller.signal }, started);
    pending.catch(() => undefined);
    await vi.waitUntil(() => existsSync(started), 10_000);
    controller.abort();
    await expect(within(2000, pending)).rejects.toMatchObject({ code: 'CANCELLED' });
    const [pid] = JSON.parse(await readFile(started, 'utf8')) as number[];
    expect(() => process.kill(pid!, 0)).toThrow('ESRCH');
  });

  test('before it has begun does nothing', async () => {
    const written = folder.path('written');
    const script = 'setTimeout(() => require("node:fs").writeFileSync(process.argv[1], ""), 300)';
    await expect(run(script, { signal: AbortSignal.abort() }, written)).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(existsSync(written)).toBe(false);
  });
});
