import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { throwIfCancelled } from '../errors.ts';
import { type CodeLanguage, grammarOf } from './grammars.ts';
import { type IgnoreRules, isIgnored, rulesAbove, withRulesOf } from './ignore-rules.ts';

/** Counts by reason what was left out, so that nothing vanishes in silence. */
export class Skipped {
  readonly counts: Record<string, number> = {};

  add(reason: string, count = 1): void {
    this.counts[reason] = (this.counts[reason] ?? 0) + count;
  }
}

/** What of a folder is walked. */
export interface WalkOptions {
  /** Leaves out what git ignores; the repository's files above the folder count. */
  readonly gitignore: boolean;
  /** All that have a grammar where left out. */
  readonly languages?: readonly CodeLanguage[] | undefined;
  readonly skipped: Skipped;
  readonly signal?: AbortSignal | undefined;
}

/** Folders that hold copies of other people's code, by the customs of one language or another. */
const VENDORED = /^(vendor|vendored|_vendor|third[-_]?party|3rdparty|bower_components|site-packages|pods|carthage)$/i;

/**
 * The source files below a folder that have a grammar, in a fixed order: by name, a folder's files before its folders.
 * Hidden folders, `node_modules`, Python's virtual environments, vendored code and symbolic links are not entered; links,
 * vendored code and folders that cannot be read are counted.
 *
 * @throws CANCELLED
 */
export async function* walkSources(folder: string, options: WalkOptions): AsyncGenerator<string> {
  yield* walk(path.resolve(folder), options.gitignore ? await rulesAbove(path.resolve(folder)) : [], options);
}

async function* walk(folder: string, above: IgnoreRules, options: WalkOptions): AsyncGenerator<string> {
  throwIfCancelled(options.signal);
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => undefined);
  if (entries === undefined) return options.skipped.add('unreadable folder');
  const rules = options.gitignore ? await withRulesOf(folder, above) : above;
  const sorted = entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of sorted) {
    if (entry.isSymbolicLink()) options.skipped.add('symbolic link');
    const language = entry.isFile() ? grammarOf(entry.name)?.language : undefined;
    if (language === undefined || !isWanted(language, options.languages)) continue;
    const file = path.join(folder, entry.name);
    if (isIgnored(file, rules)) options.skipped.add('ignored by git');
    else yield file;
  }
  for (const entry of sorted) {
    if (!entry.isDirectory() || entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    const inner = path.join(folder, entry.name);
    if (isIgnored(`${inner}${path.sep}`, rules)) options.skipped.add('ignored by git');
    else if (VENDORED.test(entry.name) || existsSync(path.join(inner, 'pyvenv.cfg'))) options.skipped.add('vendored folder');
    else yield* walk(inner, rules, options);
  }
}

/** A header of either language is named like one of C. */
function isWanted(language: CodeLanguage, languages: readonly CodeLanguage[] | undefined): boolean {
  return languages === undefined || languages.includes(language) || (language === 'c' && languages.includes('cpp'));
}
