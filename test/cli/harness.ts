import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { LLAMA, snapshot, useFolder } from '../models/folder.ts';

export { LLAMA, snapshot };

const program = fileURLToPath(new URL('../../dist/cli.mjs', import.meta.url));

/** How a run of the command line ended. */
export interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
}

export interface RunOptions {
  /** Standard input; closed at once where left out. */
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  /** A shell's text that `exec`s the program as "$@", for limits and redirections. */
  readonly shell?: string;
}

/** A fresh folder for every test with a data home in it, and the built command line. */
export interface Cli {
  path(...names: string[]): string;
  run(args: readonly string[], options?: RunOptions): Promise<Ran>;
  /** Starts it and leaves its streams to the caller; `ended` waits for its end. */
  start(args: readonly string[], options?: RunOptions): Started;
  /** Writes a file into the folder, its folders with it, and gives its path. */
  write(name: string, content: string | Uint8Array): Promise<string>;
  /** A copy of the fixture model, changed. */
  model(name: string, change?: (folder: string) => Promise<void>): Promise<string>;
}

export interface Started {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ran>;
}

export function useCli(): Cli {
  const folder = useFolder();
  const start = (args: readonly string[], { env, shell }: RunOptions = {}): Started => {
    const command = [process.execPath, program, ...args];
    const [executable, ...rest] = shell === undefined ? command : ['bash', '-c', shell, 'bash', ...command];
    const child = spawn(executable!, rest, { cwd: folder.path(), env: { ...environment(folder.path('home')), ...env } });
    child.stdin.on('error', () => undefined);
    const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]).then(
      ([stdout, stderr, [code]]): Ran => ({ stdout, stderr, code: code as number | null }),
    );
    return { child, ended };
  };
  return {
    path: folder.path,
    start,
    run: (args, options = {}) => {
      const { child, ended } = start(args, options);
      child.stdin.end(options.input ?? '');
      return ended;
    },
    write: async (name, content) => {
      await mkdir(dirname(folder.path(name)), { recursive: true });
      await writeFile(folder.path(name), content);
      return folder.path(name);
    },
    model: async (name, change) => {
      await cp(LLAMA, folder.path(name), { recursive: true });
      await change?.(folder.path(name));
      return folder.path(name);
    },
  };
}

/** Ours without what would make a run depend on the machine; a hub that nobody serves. */
function environment(home: string): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(HF_|HUGGINGFACE_|L3PRUNE_|NODE_|VITEST|XDG_)/.test(name));
  return { ...Object.fromEntries(own), L3PRUNE_HOME: home, HF_HOME: join(home, 'huggingface'), HF_ENDPOINT: 'http://127.0.0.1:9' };
}

/** The one JSON document on standard output of a run that went well. */
export function documentOf<T>(ran: Ran): T {
  expect(ran, ran.stderr).toMatchObject({ code: 0 });
  expect(ran.stdout.trimEnd().split('\n')).toHaveLength(1);
  return JSON.parse(ran.stdout) as T;
}

/** The JSON documents on standard output, a line each. */
export function linesOf<T>(ran: Ran): T[] {
  expect(ran, ran.stderr).toMatchObject({ code: 0 });
  return ran.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}

/** Holds a run to how every failure looks: one last line with a sentence and its code, the exit code that goes with it, and no stack. */
export function expectFailure(ran: Ran, code: string, sentence: RegExp = /./): void {
  const lines = ran.stderr.trimEnd().split('\n');
  expect(lines.at(-1)).toMatch(new RegExp(`^l3prune: .+ \\[${code}\\]$`));
  expect(lines.at(-1)).toMatch(sentence);
  expect(lines.filter((line) => line.startsWith('l3prune: '))).toHaveLength(1);
  expect(ran.stderr).not.toMatch(/^\s+at |\bundefined\b|\[object/m);
  expect(ran.code).toBe(code === 'USAGE' ? 2 : code === 'CANCELLED' ? 130 : 1);
}

/** Names in a folder, hidden ones too; none where it is not there. */
export async function names(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(() => [])).sort();
}

export async function json<T>(path: string): Promise<T> {
  return JSON.parse(await readFile(path, 'utf8')) as T;
}
