import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { errors, throwIfCancelled } from '../../errors.ts';
import { reason as failureOf } from '../../files.ts';
import { type IgnoreRules, isIgnored, rulesAbove, verdictOn, withRulesOf } from '../../data/ignore-rules.ts';
import { compileGlobs, type Globs } from './globs.ts';
import { knownLanguageOf, languageOf } from './language.ts';
import { Parts } from './parts.ts';
import { reasonOf, reasons } from './reasons.ts';
import { contentsReason, fileReason, folderReason, isSecretName, OWN_IGNORE_FILE } from './rules.ts';
import type { Excluded, FileRules, Found, Reason } from './types.ts';

/** Files of one folder that are looked at together. */
const BATCH = 64;

export interface WalkOptions {
  /**
   * Files, and folders with all that is in them, from the root with `/`: of all else nothing is said, and no folder is read
   * but those on the way. The whole workspace where left out.
   */
  readonly only?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * All that is below a folder, in a fixed order: by name, a folder's files before its folders. What is left out is said
 * with the first reason of these: links, secrets, exclude globs, `.l3pruneignore`, git's rules, include globs, the rules
 * of rules.ts, size.
 *
 * What `.l3pruneignore` keeps with a `!`, with all that is in it, and what an include glob names letter by letter
 * (`dist/**` names `dist`) is not left out by git's rules and those of rules.ts, but for what version control keeps.
 * Links are never followed; on the way to the root itself there may be one.
 *
 * @throws CANCELLED; NOT_FOUND where the root is no folder that can be read; USAGE for a glob that is malformed
 */
export async function* walkWorkspace(root: string, rules: FileRules, { only = [''], signal }: WalkOptions = {}): AsyncGenerator<Found> {
  const globs = compileGlobs(rules);
  const parts = new Parts(only);
  const top = path.resolve(root);
  const walk: Walk = { rules, globs, parts, real: await realFolder(top) };
  const git = rules.gitignore ? await rulesOutside(top) : [];
  // A stack in place of a recursion: a file that is deep down passes through no generator but this.
  const stack: Array<Folder | Excluded> = [{ path: '', absolute: top, git, own: [], isKept: true, isWhole: parts.has('') }];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    throwIfCancelled(signal);
    if ('reason' in next) {
      yield { excluded: next };
      continue;
    }
    const inside = await enter(next, walk);
    if ('reason' in inside) {
      if (next.path === '') throw errors.notFound(`${top} cannot be read: ${inside.reason}.`);
      yield { excluded: inside };
      continue;
    }
    const files = inside.entries.filter(({ kind }) => kind !== 'folder');
    for (let at = 0; at < files.length; at += BATCH) {
      throwIfCancelled(signal);
      yield* await Promise.all(files.slice(at, at + BATCH).map((entry) => lookAt(entry, inside, walk)));
    }
    const folders = inside.entries.filter(({ kind }) => kind === 'folder');
    for (const entry of folders.toReversed()) stack.push(childOf(entry, inside, walk));
  }
}

interface Walk {
  readonly rules: FileRules;
  readonly globs: Globs;
  readonly parts: Parts;
  /** The root without links on the way to it. */
  readonly real: string;
}

interface Folder {
  /** From the root, with `/`; empty for the root itself. */
  readonly path: string;
  readonly absolute: string;
  /** The rules in force, of git and of ours. */
  readonly git: IgnoreRules;
  readonly own: IgnoreRules;
  /** Whether it is wanted whatever it turns out to hold. */
  readonly isKept: boolean;
  /** Whether all that is in it is walked, and not only what is on the way to a part. */
  readonly isWhole: boolean;
}

interface Entry {
  readonly name: string;
  readonly kind: 'file' | 'folder' | 'link' | 'special' | 'badName';
}

/** A folder that is being walked. */
interface Inside extends Folder {
  /** What of it is walked. */
  readonly entries: readonly Entry[];
  /** All that is in it. */
  readonly names: ReadonlySet<string>;
}

async function realFolder(top: string): Promise<string> {
  try {
    if (!(await stat(top)).isDirectory()) throw errors.notFound(`${top} is not a folder: name the folder that is to be indexed.`);
    return await realpath(top);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw errors.notFound(`${top} cannot be read: ${failureOf(error)}.`, error);
  }
}

/** Git's rules from outside of the root. Where they ignore the root itself, it was named all the same: they say nothing. */
async function rulesOutside(top: string): Promise<IgnoreRules> {
  const above = await rulesAbove(top);
  const isTopIgnored = isIgnored(`${top}${path.sep}`, above.filter(({ folder }) => folder !== top));
  return isTopIgnored ? [] : above;
}

async function enter(folder: Folder, { rules, parts, real }: Walk): Promise<Inside | Excluded> {
  const excluded = (reason: Reason): Excluded => ({ path: folder.path, isFolder: true, reason });
  let entries: readonly Entry[];
  try {
    // A folder may have been replaced by a link since its name was read.
    if ((await realpath(folder.absolute)) !== path.join(real, folder.path)) return excluded(reasons.link);
    entries = await entriesOf(folder.absolute);
  } catch (error) {
    return excluded(reasonOf(error));
  }
  const names = new Set(entries.filter(({ kind }) => kind !== 'badName').map(({ name }) => name));
  const telltale = folder.isKept ? undefined : contentsReason(names);
  if (telltale !== undefined) return excluded(telltale);
  // Only of files, as in git: a link would lead out, and a pipe would never end.
  const has = (name: string): boolean => names.has(name) && entries.some((entry) => entry.name === name && entry.kind === 'file');
  const git = rules.gitignore && has('.gitignore') ? await withRulesOf(folder.absolute, folder.git) : folder.git;
  const own = has(OWN_IGNORE_FILE) ? await withRulesOf(folder.absolute, folder.own, OWN_IGNORE_FILE) : folder.own;
  const isWalked = ({ name, kind }: Entry): boolean => {
    const inner = pathOf(name, folder);
    return folder.isWhole || parts.has(inner) || (kind === 'folder' && parts.isAbove(inner));
  };
  return { ...folder, git, own, entries: entries.filter(isWalked), names };
}

async function entriesOf(folder: string): Promise<readonly Entry[]> {
  const found = await readdir(folder, { withFileTypes: true });
  const entries = found.map((entry): Entry => ({ name: entry.name, kind: kindOf(entry) }));
  if (entries.some(({ name }) => name.includes('\uFFFD'))) return sorted(await entriesWithBadNames(folder));
  return sorted(entries);
}

/** A name that is not UTF-8 reads as one with replacement characters, which would be another file or none. */
async function entriesWithBadNames(folder: string): Promise<Entry[]> {
  const found = await readdir(folder, { withFileTypes: true, encoding: 'buffer' });
  return found.map((entry): Entry => {
    const name = entry.name.toString();
    return { name, kind: Buffer.from(name).equals(entry.name) ? kindOf(entry) : 'badName' };
  });
}

function kindOf(entry: { isFile(): boolean; isDirectory(): boolean; isSymbolicLink(): boolean }): Entry['kind'] {
  if (entry.isSymbolicLink()) return 'link';
  if (entry.isDirectory()) return 'folder';
  return entry.isFile() ? 'file' : 'special';
}

function sorted(entries: Entry[]): Entry[] {
  return entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

async function lookAt({ name, kind }: Entry, folder: Inside, walk: Walk): Promise<Found> {
  const file = pathOf(name, folder);
  const language = knownLanguageOf(name);
  const excluded = (reason: Reason): Found => ({ excluded: { path: file, isFolder: false, reason, ...(language !== undefined && { language }) } });
  if (kind === 'badName') return excluded(reasons.badName);
  if (kind === 'link') return excluded(reasons.link);
  if (kind !== 'file') return excluded(reasons.notRegular);
  const reason = nameReason(name, folder, walk);
  if (reason !== undefined) return excluded(reason);
  const absolute = path.join(folder.absolute, name);
  try {
    const found = await lstat(absolute);
    if (found.isSymbolicLink()) return excluded(reasons.link);
    if (!found.isFile()) return excluded(reasons.notRegular);
    if (found.size === 0) return excluded(reasons.empty);
    if (found.size > walk.rules.mostBytes) return excluded(reasons.tooLarge);
    return { file: { path: file, absolute, size: found.size, mtimeMs: found.mtimeMs, language: language ?? languageOf(name) } };
  } catch (error) {
    return excluded(reasonOf(error));
  }
}

function nameReason(name: string, folder: Inside, { globs }: Walk): Reason | undefined {
  const file = pathOf(name, folder);
  if (isSecretName(name, false)) return reasons.secret;
  if (globs.isExcluded(file)) return reasons.excluded;
  const absolute = path.join(folder.absolute, name);
  const verdict = verdictOn(absolute, folder.own);
  if (verdict === 'ignored') return reasons.ignoredByUs;
  const isKept = verdict === 'kept' || globs.isNamed(file);
  if (!isKept && isIgnored(absolute, folder.git)) return reasons.ignoredByGit;
  if (!globs.isIncluded(file)) return reasons.notIncluded;
  return unlessKept(isKept, fileReason(name));
}

/** A folder to walk, or why it is not walked. */
function childOf({ name, kind }: Entry, folder: Inside, { globs, parts }: Walk): Folder | Excluded {
  const inner = pathOf(name, folder);
  const excluded = (reason: Reason): Excluded => ({ path: inner, isFolder: true, reason });
  if (kind === 'badName') return excluded(reasons.badName);
  if (isSecretName(name, true)) return excluded(reasons.secret);
  if (globs.isExcluded(inner)) return excluded(reasons.excluded);
  const absolute = path.join(folder.absolute, name);
  const verdict = verdictOn(`${absolute}${path.sep}`, folder.own);
  if (verdict === 'ignored') return excluded(reasons.ignoredByUs);
  const isKept = verdict === 'kept' || globs.isNamed(inner);
  const isOfGit = isIgnored(`${absolute}${path.sep}`, folder.git);
  if (isOfGit && !isKept) return excluded(reasons.ignoredByGit);
  if (!globs.mayInclude(inner)) return excluded(reasons.notIncluded);
  const reason = unlessKept(isKept, folderReason(name, folder.names));
  if (reason !== undefined) return excluded(reason);
  // The rules that ignore a folder ignore all that is in it, too: inside of one that is kept they are at an end.
  return { path: inner, absolute, git: isOfGit ? [] : folder.git, own: folder.own, isKept, isWhole: folder.isWhole || parts.has(inner) };
}

/** What a version control system keeps is not brought back: its settings hold passwords, and its objects are no text. */
function unlessKept(isKept: boolean, reason: Reason | undefined): Reason | undefined {
  return isKept && reason !== reasons.versionControl ? undefined : reason;
}

function pathOf(name: string, folder: Folder): string {
  return folder.path === '' ? name : `${folder.path}/${name}`;
}
