import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import ignore, { type Ignore } from 'ignore';

/** Rules of the `.gitignore` files from the repository's root down to one folder, the deepest first. */
export type IgnoreRules = ReadonlyArray<{ readonly folder: string; readonly rules: RulesOfFile }>;

/**
 * The rules between the repository's root, where there is one, and the folder's parent, with those that git keeps beside
 * its files: the repository's `info/exclude` and the user's own.
 */
export async function rulesAbove(folder: string): Promise<IgnoreRules> {
  const parents: string[] = [];
  let root = folder;
  for (; !existsSync(path.join(root, '.git')); root = path.dirname(root)) {
    if (path.dirname(root) === root) return []; // No repository: its own files alone count.
    parents.unshift(path.dirname(root));
  }
  let rules: IgnoreRules = [];
  for (const file of [await usersIgnoreFile(), path.join(await gitFolder(root), 'info', 'exclude')]) rules = await withRules(file, root, rules);
  for (const parent of parents) rules = await withRulesOf(parent, rules);
  return rules;
}

/** The rules in force inside of a folder, by its file of this name. */
export function withRulesOf(folder: string, above: IgnoreRules, name = '.gitignore'): Promise<IgnoreRules> {
  return withRules(path.join(folder, name), folder, above);
}

/** Whether a path is ignored; a folder's path ends with a separator. */
export function isIgnored(file: string, rules: IgnoreRules): boolean {
  return verdictOn(file, rules) === 'ignored';
}

/** What the deepest file that says anything about a path says, as in git; a folder's path ends with a separator. */
export function verdictOn(file: string, rules: IgnoreRules): 'ignored' | 'kept' | undefined {
  for (const { folder, rules: own } of rules) {
    const relative = path.relative(folder, file).split(path.sep).join('/') + (file.endsWith(path.sep) ? '/' : '');
    const { ignored, unignored } = own.test(relative);
    if (ignored || unignored) return ignored ? 'ignored' : 'kept';
  }
  return undefined;
}

/** `ignore` remembers every path that it is asked about: it is made anew before that fills the memory. */
class RulesOfFile {
  static readonly #mostRemembered = 10_000;
  readonly #text: string;
  #rules: Ignore;
  #remembered = 0;

  constructor(text: string) {
    this.#text = text;
    this.#rules = ignore().add(text);
  }

  test(relative: string): { readonly ignored: boolean; readonly unignored: boolean } {
    if (this.#remembered++ === RulesOfFile.#mostRemembered) {
      this.#rules = ignore().add(this.#text);
      this.#remembered = 0;
    }
    return this.#rules.test(relative);
  }
}

async function withRules(file: string, folder: string, above: IgnoreRules): Promise<IgnoreRules> {
  const text = await textOf(file);
  return text.trim() === '' ? above : [{ folder, rules: new RulesOfFile(text) }, ...above];
}

/** Where git keeps what it knows of a repository: of a worktree, that is with the repository that it belongs to. */
async function gitFolder(root: string): Promise<string> {
  const own = path.join(root, '.git');
  const elsewhere = /^gitdir:\s*(.+)$/m.exec(await textOf(own))?.[1];
  if (elsewhere === undefined) return own;
  const folder = path.resolve(root, elsewhere.trim());
  const common = (await textOf(path.join(folder, 'commondir'))).trim();
  return common === '' ? folder : path.resolve(folder, common);
}

/** `core.excludesFile` of the user's configuration, or where git looks without one. */
async function usersIgnoreFile(): Promise<string> {
  const home = os.homedir();
  const folder = path.join(process.env['XDG_CONFIG_HOME'] || path.join(home, '.config'), 'git');
  const configurations = [await textOf(path.join(folder, 'config')), await textOf(path.join(home, '.gitconfig'))];
  const named = configurations.flatMap((text) => Array.from(text.matchAll(/^\s*excludesfile\s*=\s*"?([^"\n]+?)"?\s*$/gim), ([, file]) => file as string)).at(-1);
  return named === undefined ? path.join(folder, 'ignore') : path.resolve(home, named.replace(/^~\//, ''));
}

function textOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '');
}
