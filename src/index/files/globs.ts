import picomatch from 'picomatch';
import { errors } from '../../errors.ts';
import type { FileRules } from './types.ts';

const MOST_CHARACTERS = 1_000;
/** A pattern is matched by backtracking: each further star multiplies the time by the length of a name. */
const MOST_STARS_IN_A_NAME = 4;
const MOST_FOLDER_STARS = 5;

const OPTIONS = { dot: true, windows: false, noextglob: true, nonegate: true, regex: false, debug: true } as const;

/** What is included and excluded, of paths from the workspace's root with `/` between folders. */
export interface Globs {
  isExcluded(path: string): boolean;
  /** Whether a file is among what is included. */
  isIncluded(path: string): boolean;
  /** Whether a file that is included may be below a folder. */
  mayInclude(folder: string): boolean;
  /** Whether what is included names a file or a folder letter by letter, or something below it: `dist/**` names `dist`. */
  isNamed(path: string): boolean;
}

/** @throws USAGE where a glob is malformed, or would take too long to match */
export function compileGlobs({ include, exclude }: Pick<FileRules, 'include' | 'exclude'>): Globs {
  const excluded = exclude.map((glob) => matcherOf(trim(glob)));
  // A name without a pattern is a file, or a folder with all that is in it.
  const included = include.map(trim).flatMap((glob) => (picomatch.scan(glob).isGlob ? [matcherOf(glob)] : [matcherOf(glob), matcherOf(`${glob}/**`)]));
  const bases = include.map((glob) => picomatch.scan(trim(glob)).base.replaceAll(/\\(.)/g, '$1'));
  return {
    isExcluded: (path) => excluded.some((matches) => matches(path)),
    isIncluded: (path) => included.length === 0 || included.some((matches) => matches(path)),
    mayInclude: (folder) => bases.length === 0 || bases.some((base) => base === '' || isWithin(base, folder) || isWithin(folder, base)),
    isNamed: (path) => bases.some((base) => isWithin(base, path)),
  };
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

/** Globs start at the root, however that is written. */
function trim(glob: string): string {
  return glob.replace(/^(?:\.?\/)+/, '').replace(/([^\\])\/+$/, '$1');
}

function matcherOf(glob: string): (path: string) => boolean {
  const problem = problemOf(glob);
  if (problem !== undefined) throw errors.usage(`The glob ${shown(glob)} ${problem}.`);
  try {
    return picomatch(glob, OPTIONS);
  } catch (cause) {
    throw errors.usage(`The glob ${shown(glob)} is malformed: look for a bracket or brace that is not closed, or put \\ before a character that is meant itself.`, cause);
  }
}

function problemOf(glob: string): string | undefined {
  if (glob === '') return 'is empty';
  if (glob.length > MOST_CHARACTERS) return `is longer than ${MOST_CHARACTERS} characters`;
  if (glob.startsWith('!')) return 'begins with "!": give what is to be left out as an exclusion, or write "\\!" for the character itself';
  const plain = glob.replaceAll(/\\./g, '');
  if (plain.includes('(')) return 'holds a group: write {a,b} for a choice, and "\\(" for the character itself';
  const names = plain.split('/');
  if (names.includes('..')) return 'leads out of the folder that is indexed';
  const stars = names.map((name) => name.match(/\*+/g) ?? []);
  const folders = stars.flat().filter((run) => run.length > 1).length;
  if (folders > MOST_FOLDER_STARS || stars.some((runs) => runs.length > MOST_STARS_IN_A_NAME))
    return `holds too many stars: at most ${MOST_STARS_IN_A_NAME} in a name and ${MOST_FOLDER_STARS} times "**"`;
  return undefined;
}

function shown(glob: string): string {
  return JSON.stringify(glob.length > 80 ? `${glob.slice(0, 80)}…` : glob);
}
