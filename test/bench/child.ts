import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';

const commandLine = join(import.meta.dirname, '../../dist/cli.mjs');

/** What a run of a program took. */
export interface ChildRun {
  readonly stdout: string;
  /** From the start of the process to the first byte on its standard output. */
  readonly firstOutputSeconds: number;
  /** From its start to its end. */
  readonly seconds: number;
  /** Largest anonymous resident memory seen, and the largest resident memory with mapped files; 0 where the system has no /proc. */
  readonly peakAnonymousBytes: number;
  readonly peakResidentBytes: number;
}

/** Runs the built command line in a fresh process and reads its memory 20 times a second from outside. */
export function runCommandLine(args: readonly string[], input = ''): Promise<ChildRun> {
  return runScript(commandLine, args, input);
}

/** Runs any program in a fresh process in the same way. */
export async function runScript(script: string, args: readonly string[], input = ''): Promise<ChildRun> {
  const started = performance.now();
  const child = spawn(process.execPath, [script, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  let firstOutputSeconds = 0;
  let peakAnonymousBytes = 0;
  let peakResidentBytes = 0;
  const sampler = setInterval(() => {
    const status = processStatus(child.pid);
    peakAnonymousBytes = Math.max(peakAnonymousBytes, kilobytes(status, 'RssAnon') * 1024);
    peakResidentBytes = Math.max(peakResidentBytes, kilobytes(status, 'VmHWM') * 1024);
  }, 50);
  child.stdout.once('readable', () => (firstOutputSeconds = (performance.now() - started) / 1000));
  child.stdin.end(input);
  const [stdout, stderr, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((resolve, reject) => child.once('error', reject).once('exit', resolve)),
  ]);
  clearInterval(sampler);
  const seconds = (performance.now() - started) / 1000;
  if (code !== 0) throw new Error(`${basename(script)} ${args.join(' ')} exited with ${code}: ${stderr.trim().split('\n').at(-1)}`);
  return { stdout, firstOutputSeconds, seconds, peakAnonymousBytes, peakResidentBytes };
}

function processStatus(pid: number | undefined): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return '';
  }
}

function kilobytes(status: string, key: string): number {
  return Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0);
}
