import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { throwIfCancelled } from '../../errors.ts';
import { sourceExtensions } from '../grammars.ts';
import { isTestFile } from './tests.ts';

/** A commit by what it says and what it added. */
export interface Commit {
  readonly subject: string;
  /** Those of tests are left out. */
  readonly files: ReadonlyArray<{
    /** Relative to the workspace, with "/". */
    readonly path: string;
    /** The lines that it added, trimmed. */
    readonly added: readonly string[];
  }>;
}

/** The commits of a workspace, the latest first, and why there are none or not all. */
export interface History {
  readonly commits: readonly Commit[];
  readonly problem?: string;
}

const MAX_COMMITS = 5000;
const TIME_LIMIT_MS = 60_000;
/** A commit that adds more to one file, or to more files, is about more than one function. */
const MAX_LINES = 150;
const MAX_FILES = 10;
/** Lines of this length are no code that somebody wrote. */
const MAX_LINE_CHARACTERS = 2000;
/** What is read of git's output, and held of it. */
const MAX_OUTPUT_BYTES = 512 * 1024 * 1024;
const MAX_HELD_CHARACTERS = 64 * 1024 * 1024;

/** Starts the line with a commit's subject: lines of a patch start with what they are. */
const SUBJECT = '\u0001';

/**
 * What the history of a workspace's repository says, as far as it touches files that are parsed: no merges, nothing of
 * large commits. git runs so that no setting of the repository makes it run anything else, or ask another machine.
 *
 * @throws CANCELLED
 */
export async function readHistory(workspace: string, signal?: AbortSignal): Promise<History> {
  throwIfCancelled(signal);
  if (!isInRepository(workspace)) return { commits: [], problem: 'no history: not a git repository' };
  // From a folder of its own, because some systems look for a program where they start it.
  const git = spawn('git', gitArguments(workspace), { cwd: os.homedir(), env: gitEnvironment(), stdio: ['ignore', 'pipe', 'ignore'], windowsHide: true });
  const failed = new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    git.once('error', resolve);
    git.once('close', () => resolve(undefined));
  });
  let isLate = false;
  const stop = (): boolean => git.kill('SIGKILL');
  const timer = setTimeout(() => (isLate = stop()), TIME_LIMIT_MS);
  signal?.addEventListener('abort', stop, { once: true });
  try {
    const { commits, isWhole } = await parseLog(git.stdout);
    if (!isWhole) stop();
    const failure = await failed;
    throwIfCancelled(signal);
    if (failure !== undefined) return { commits: [], problem: failure.code === 'ENOENT' ? 'no history: git is not installed' : 'no history: git cannot be started' };
    if (isLate) return { commits, problem: `history cut short: git took longer than ${TIME_LIMIT_MS / 1000} s` };
    if (!isWhole) return { commits, problem: 'history cut short: it is too large' };
    return git.exitCode === 0 ? { commits } : { commits, problem: 'no history: git refused to read it' };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
}

function isInRepository(workspace: string): boolean {
  for (let at = path.resolve(workspace); ; at = path.dirname(at)) {
    if (existsSync(path.join(at, '.git'))) return true;
    if (path.dirname(at) === at) return false;
  }
}

/**
 * Everything that a repository's own configuration could have run is switched off: external diffs and text conversions,
 * a pager, a monitor of its files, the check of signatures; so is all that would change what is printed.
 */
function gitArguments(workspace: string): string[] {
  const settings = ['core.fsmonitor=false', `core.hooksPath=${os.devNull}`, 'core.pager=cat', 'log.showSignature=false', 'safe.bareRepository=explicit', 'submodule.recurse=false', 'core.quotePath=false'];
  return [
    '--no-pager',
    ...settings.flatMap((setting) => ['-c', setting]),
    '-C',
    workspace,
    'log',
    `--max-count=${MAX_COMMITS}`,
    `--format=format:${SUBJECT}%s`,
    ...'--patch --unified=0 --inter-hunk-context=0 --src-prefix=a/ --dst-prefix=b/ --relative --diff-algorithm=default'.split(' '),
    ...'--no-merges --no-renames --no-ext-diff --no-textconv --no-color --no-notes --no-show-signature --no-mailmap --no-decorate'.split(' '),
    ...'--ignore-submodules=all --submodule=short --diff-filter=AM --encoding=UTF-8 -O/dev/null'.split(' '),
    '--',
    ...sourceExtensions.map((extension) => `*${extension}`),
  ];
}

/** Ours without what would point git elsewhere; no questions, no locks, no objects fetched from elsewhere. */
function gitEnvironment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.toUpperCase().startsWith('GIT_'));
  return {
    ...Object.fromEntries(own),
    LC_ALL: 'C',
    GIT_ALLOW_PROTOCOL: 'none',
    GIT_NO_LAZY_FETCH: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_TERMINAL_PROMPT: '0',
  };
}

type MutableFile = { readonly path: string; readonly added: string[] };

/** Reads what `git log --patch --unified=0` prints; commits that are too large are left out as they come. */
async function parseLog(output: AsyncIterable<Buffer>): Promise<{ commits: Commit[]; isWhole: boolean }> {
  const commits: Commit[] = [];
  let held = 0;
  let current: { readonly subject: string; readonly files: MutableFile[] } | undefined;
  const finish = (): void => {
    const isSmall = current !== undefined && current.files.length <= MAX_FILES && current.files.every(({ added }) => added.length <= MAX_LINES);
    if (current === undefined || !isSmall || current.files.length === 0) return;
    commits.push(current);
    held += current.files.reduce((sum, { added }) => added.reduce((characters, line) => characters + line.length, sum), current.subject.length);
  };
  let isHunk = false;
  let isOfTests = false;
  let read = 0;
  for await (const line of linesOf(output, (bytes) => (read += bytes))) {
    if (read > MAX_OUTPUT_BYTES || held > MAX_HELD_CHARACTERS) return { commits, isWhole: false };
    const file = current?.files.at(-1);
    if (line.startsWith(SUBJECT)) {
      finish();
      current = { subject: line.slice(SUBJECT.length), files: [] };
    } else if (line.startsWith('diff --git ')) {
      isHunk = false;
    } else if (!isHunk && line.startsWith('+++ b/')) {
      const path = line.slice('+++ b/'.length).replace(/\t$/, '');
      isOfTests = isTestFile(path);
      if (!isOfTests && current !== undefined && current.files.length <= MAX_FILES) current.files.push({ path, added: [] });
    } else if (line.startsWith('@@')) {
      isHunk = true;
    } else if (isHunk && !isOfTests && line.startsWith('+') && file !== undefined && file.added.length <= MAX_LINES) {
      file.added.push(line.slice(1).trim());
    }
  }
  finish();
  return { commits, isWhole: true };
}

/** The lines of a stream; of a longer one than anybody writes, its start alone. */
async function* linesOf(output: AsyncIterable<Buffer>, onBytes: (bytes: number) => void): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let held = '';
  for await (const chunk of output) {
    onBytes(chunk.length);
    const lines = (held + decoder.decode(chunk, { stream: true })).split('\n');
    held = (lines.pop() as string).slice(0, MAX_LINE_CHARACTERS);
    for (const line of lines) yield line.slice(0, MAX_LINE_CHARACTERS);
  }
  if (held !== '') yield held;
}
