import { spawn, type ChildProcess } from 'node:child_process';
import { dirname } from 'node:path';
import { CancelledError } from './errors.ts';

export interface RunOptions {
  /** A folder of nobody's where left out: some programs run what they find in theirs first. */
  readonly cwd?: string;
  readonly signal?: AbortSignal | undefined;
  readonly limitMs?: number;
  /** Over this process's own. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Standard input; closed at once where left out. */
  readonly input?: string;
}

/** How a program ended. */
export interface RunResult {
  /** Null where a signal or the limit ended it. */
  readonly code: number | null;
  /** The last of what it wrote to standard output. */
  readonly stdout: string;
  /** The last of what it wrote to both. */
  readonly output: string;
}

/** What is kept of a program's output. */
const mostCharacters = 65_536;

/** A program that has not ended so long after it was asked to is killed. */
const graceMs = 500;

/**
 * Runs a program to its end; a signal or the limit ends it, within a second also where it does not want to. Throws
 * CANCELLED, or the system's own error where it cannot be started.
 */
export async function runToEnd([command, ...args]: readonly [string, ...string[]], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      windowsHide: true,
      // Programs of Windows that are scripts, as npm is, run in its shell alone.
      shell: process.platform === 'win32' && command === 'npm',
      cwd: options.cwd ?? dirname(process.execPath),
      env: { ...process.env, ...options.environment },
    });
    let stdout = '';
    let output = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      stdout = (stdout + chunk.toString()).slice(-mostCharacters);
      output = (output + chunk.toString()).slice(-mostCharacters);
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-mostCharacters);
    });
    // One that ends before it has read says so by its exit code.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input);
    const stop = (): void => end(child);
    const limit = options.limitMs === undefined ? undefined : setTimeout(stop, options.limitMs);
    if (options.signal?.aborted) stop();
    options.signal?.addEventListener('abort', stop, { once: true });
    const settled = (): void => {
      clearTimeout(limit);
      options.signal?.removeEventListener('abort', stop);
    };
    child.once('error', (error) => {
      settled();
      reject(error);
    });
    child.once('close', (code) => {
      settled();
      if (options.signal?.aborted) reject(new CancelledError());
      else resolve({ code, stdout, output });
    });
  });
}

/** Asks a program to end, and soon after has it end. */
function end(child: ChildProcess): void {
  // What it started may live on with its pipes, which are not waited for.
  child.once('exit', () => {
    clearTimeout(deadline);
    child.stdout?.destroy();
    child.stderr?.destroy();
  });
  const deadline = setTimeout(() => child.kill('SIGKILL'), graceMs);
  // Windows ends a shell and leaves what runs in it.
  if (process.platform === 'win32' && child.pid !== undefined) spawn('taskkill', ['/pid', String(child.pid), '/t', '/f']).on('error', () => child.kill());
  else child.kill();
}
