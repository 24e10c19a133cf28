import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import ignore, { type Ignore } from 'ignore';
import { throwIfCancelled } from '../errors.ts';
import { grammarOf } from './grammars.ts';

/** Counts by reason what was left out, so that nothing vanishes in silence. */
export class Skipped {
  readonly counts: Record<string, number> = {};

  add(reason: string): void {
    this.counts[reason] = (this.counts[reason] ?? 0) + 1;
  }
}

/** Rules of the `.gitignore` files from the repository's root down to one folder, the deepest first. */
type Rules = ReadonlyArray<{ readonly folder: string; readonly rules: Ignore }>;

/**
 * The source files below a folder that have a grammar, in a fixed order: by name, a folder's files before its folders.
 * Hidden folders, `node_modules` and symbolic links are not entered; links and folders that cannot be read are counted.
 *
 * @param options.gitignore leaves out what the repository's `.gitignore` files do, those above the folder included
 * @throws CANCELLED
 */
export async function* walkSources(
  folder: string,
  options: { gitignore: boolean; skipped: Skipped; signal?: AbortSignal | undefined },
): AsyncGenerator<string> {
  yield* walk(path.resolve(folder), options.gitignore ? await rulesAbove(path.resolve(folder)) : [], options);
}

async function* walk(
  folder: string,
  above: Rules,
  options: { gitignore: boolean; skipped: Skipped; signal?: AbortSignal | undefined },
): AsyncGenerator<string> {
  throwIfCancelled(options.signal);
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => undefined);
  if (entries === undefined) return options.skipped.add('unreadable folder');
  const rules = options.gitignore ? await withRulesOf(folder, above) : above;
  const sorted = entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of sorted) {
    if (entry.isSymbolicLink()) options.skipped.add('symbolic link');
    if (!entry.isFile() || grammarOf(entry.name) === undefined) continue;
    const file = path.join(folder, entry.name);
    if (isIgnored(file, rules)) options.skipped.add('in .gitignore');
    else yield file;
  }
  for (const entry of sorted) {
    if (!entry.isDirectory() || entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    const inner = path.join(folder, entry.name);
    if (isIgnored(`${inner}${path.sep}`, rules)) options.skipped.add('in .gitignore');
    else yield* walk(inner, rules, options);
  }
}

/** The rules between the repository's root, where there is one, and the folder's parent. */
async function rulesAbove(folder: string): Promise<Rules> {
  const parents: string[] = [];
  for (let at = folder; !existsSync(path.join(at, '.git')); at = path.dirname(at)) {
    if (path.dirname(at) === at) return []; // No repository: its own files alone count.
    parents.unshift(path.dirname(at));
  }
  let rules: Rules = [];
  for (const parent of parents) rules = await withRulesOf(parent, rules);
  return rules;
}

async function withRulesOf(folder: string, above: Rules): Promise<Rules> {
  const text = await readFile(path.join(folder, '.gitignore'), 'utf8').catch(() => '');
  return text.trim() === '' ? above : [{ folder, rules: ignore().add(text) }, ...above];
}

/** The deepest file that says anything about a path decides, as in git. */
function isIgnored(file: string, rules: Rules): boolean {
  for (const { folder, rules: own } of rules) {
    const relative = path.relative(folder, file).split(path.sep).join('/') + (file.endsWith(path.sep) ? '/' : '');
    const { ignored, unignored } = own.test(relative);
    if (ignored || unignored) return ignored;
  }
  return false;
}
