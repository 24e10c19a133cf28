import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errors, throwIfCancelled } from '../../errors.ts';
import { formatBytes } from '../../format.ts';
import { findPip } from '../../models/pip.ts';
import { runToEnd } from '../../process.ts';
import type { TensorFlowVariant } from '../tensorflow/location.ts';

/** A program that does not answer within this time is taken for none. */
const answerMs = 20_000;

/** What an installation needs on the disk at its largest, what it downloads included. */
const neededBytes: { readonly [V in TensorFlowVariant]: number } = { cpu: 1.5e9, gpu: 7.5e9 };

/** Whether TensorFlow's library comes from its wheel, which is made for this machine; elsewhere the npm package fetches one. */
export function takesWheel(): boolean {
  return process.platform === 'linux' && process.arch === 'x64';
}

/**
 * Looks for everything that an installation into `folder` would stop at later, before anything is fetched. Throws
 * MISSING_TOOL with a sentence for each thing that is missing, or UNSUPPORTED where there is no TensorFlow for the machine.
 */
export async function checkMachine(variant: TensorFlowVariant, folder: string, signal: AbortSignal | undefined): Promise<void> {
  if (variant === 'gpu' && process.platform === 'darwin')
    throw errors.unsupported('TensorFlow computes on the GPUs of NVIDIA alone, which no Mac has: leave --gpu out.');
  const checks = [npmProblem(signal), spaceProblem(folder, neededBytes[variant])];
  if (takesWheel()) checks.push(systemProblem(), pipProblem(signal), compilerProblem(signal));
  const problems = (await Promise.all(checks)).filter((problem) => problem !== undefined);
  throwIfCancelled(signal);
  if (problems.length > 0) throw errors.missingTool(`TensorFlow cannot be installed here. ${problems.join(' ')}`);
}

async function systemProblem(): Promise<string | undefined> {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime === undefined ? 'This Linux has no glibc, which TensorFlow is made for.' : undefined;
}

async function npmProblem(signal: AbortSignal | undefined): Promise<string | undefined> {
  if (await answers(['npm', '--version'], { signal })) return undefined;
  return 'npm was not found: install Node.js with it; VS Code that was started from a desktop may not have the PATH of a terminal, where `l3prune engine install tensorflow` then works.';
}

async function pipProblem(signal: AbortSignal | undefined): Promise<string | undefined> {
  if ((await findPip(signal)) !== undefined) return undefined;
  return 'pip was not found: install Python 3 with pip (on Debian and Ubuntu the package python3-pip).';
}

async function compilerProblem(signal: AbortSignal | undefined): Promise<string | undefined> {
  const check = ['g++', '-std=c++17', '-fsyntax-only', '-x', 'c++', '-'] as const;
  if (await answers(check, { signal, input: '#include <optional>\nstd::optional<int> none;\n' })) return undefined;
  return 'g++ with C++17 was not found: install GCC 8 or newer (on Debian and Ubuntu the package g++).';
}

/** Whether a program can be started and ends well. */
async function answers(command: readonly [string, ...string[]], options: { signal: AbortSignal | undefined; input?: string }): Promise<boolean> {
  const result = await runToEnd(command, { ...options, limitMs: answerMs }).catch(() => undefined);
  return result?.code === 0;
}

async function spaceProblem(folder: string, needed: number): Promise<string | undefined> {
  const free = await freeBytes(folder);
  if (free === undefined || free >= needed) return undefined;
  return `It needs ${formatBytes(needed)} on the disk of ${folder}, which has ${formatBytes(free)} left: free some, or name another place with --home.`;
}

/** What a user may still write where the folder is, or is to be; undefined where the system does not say. */
async function freeBytes(folder: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch (error) {
    const isToBeMade = (error as NodeJS.ErrnoException).code === 'ENOENT' && dirname(folder) !== folder;
    return isToBeMade ? freeBytes(dirname(folder)) : undefined;
  }
}
