import { readWorkspaceFile } from './read.ts';
import type { Excluded, FileRules, Found, Reason } from './types.ts';
import { walkWorkspace } from './walk.ts';

/** What is listed by name of all that is left out; the rest is counted. */
const MOST_LISTED = 10_000;
/** Files that are read at a time. */
const READERS = 16;

/** What an index of a workspace would hold. */
export interface Survey {
  readonly files: number;
  readonly bytes: number;
  /** The most bytes first. */
  readonly languages: ReadonlyArray<{ readonly language: string; readonly files: number; readonly bytes: number }>;
  /** By name, a folder before those in it: two levels, with all that is below them. `.` is the root's own files. */
  readonly folders: ReadonlyArray<{ readonly folder: string; readonly files: number; readonly bytes: number }>;
  readonly excluded: {
    readonly files: number;
    /** Folders that are not entered: nobody knows what is in them. */
    readonly folders: number;
    /** The most frequent first. */
    readonly reasons: ReadonlyArray<{ readonly reason: Reason; readonly files: number; readonly folders: number }>;
    /** The first of them, in the walk's order. */
    readonly list: readonly Excluded[];
    readonly notListed: number;
  };
}

export interface SurveyOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called for every few files that have been read. */
  readonly onProgress?: ((progress: { readonly files: number; readonly excluded: number }) => void) | undefined;
}

/**
 * Reads a workspace as an index would, and keeps nothing but what it counts.
 *
 * @throws as `walkWorkspace`
 */
export async function surveyWorkspace(root: string, rules: FileRules, { signal, onProgress }: SurveyOptions = {}): Promise<Survey> {
  const tally = new Tally();
  let batch: Found[] = [];
  const settle = async (): Promise<void> => {
    const settled = await Promise.all(batch.map((found) => settleOne(found, rules, signal)));
    for (const found of settled) tally.add(found);
    batch = [];
    onProgress?.({ files: tally.files, excluded: tally.excludedFiles + tally.excludedFolders });
  };
  for await (const found of walkWorkspace(root, rules, { signal })) if (batch.push(found) === READERS) await settle();
  await settle();
  return tally.survey();
}

async function settleOne(found: Found, { mostBytes }: FileRules, signal: AbortSignal | undefined): Promise<Found> {
  if ('excluded' in found) return found;
  const { path, language } = found.file;
  const read = await readWorkspaceFile(found.file, { mostBytes, signal });
  return 'reason' in read ? { excluded: { path, isFolder: false, reason: read.reason, language } } : found;
}

interface Sum {
  files: number;
  bytes: number;
}

class Tally {
  files = 0;
  excludedFiles = 0;
  excludedFolders = 0;
  readonly #languages = new Map<string, Sum>();
  readonly #folders = new Map<string, Sum>();
  readonly #reasons = new Map<Reason, { files: number; folders: number }>();
  readonly #list: Excluded[] = [];
  #bytes = 0;

  add(found: Found): void {
    if ('excluded' in found) return this.#exclude(found.excluded);
    const { path, size, language } = found.file;
    this.files++;
    this.#bytes += size;
    for (const sum of [sumOf(this.#languages, language), ...foldersOf(path).map((folder) => sumOf(this.#folders, folder))]) {
      sum.files++;
      sum.bytes += size;
    }
  }

  #exclude(excluded: Excluded): void {
    const counts = this.#reasons.get(excluded.reason) ?? { files: 0, folders: 0 };
    this.#reasons.set(excluded.reason, counts);
    if (excluded.isFolder) {
      counts.folders++;
      this.excludedFolders++;
    } else {
      counts.files++;
      this.excludedFiles++;
    }
    if (this.#list.length < MOST_LISTED) this.#list.push(excluded);
  }

  survey(): Survey {
    return {
      files: this.files,
      bytes: this.#bytes,
      languages: Array.from(this.#languages, ([language, sum]) => ({ language, ...sum })).sort((a, b) => b.bytes - a.bytes || byName(a.language, b.language)),
      folders: Array.from(this.#folders, ([folder, sum]) => ({ folder, ...sum })).sort((a, b) => byName(a.folder, b.folder)),
      excluded: {
        files: this.excludedFiles,
        folders: this.excludedFolders,
        reasons: Array.from(this.#reasons, ([reason, counts]) => ({ reason, ...counts })).sort((a, b) => b.files + b.folders - a.files - a.folders || byName(a.reason, b.reason)),
        list: this.#list,
        notListed: this.excludedFiles + this.excludedFolders - this.#list.length,
      },
    };
  }
}

function sumOf(sums: Map<string, Sum>, key: string): Sum {
  let sum = sums.get(key);
  if (sum === undefined) sums.set(key, (sum = { files: 0, bytes: 0 }));
  return sum;
}

/** The upper two of the folders that a file is in; the root where it is in none. */
function foldersOf(path: string): string[] {
  const [first, second, third] = path.split('/', 3);
  if (second === undefined) return ['.'];
  return third === undefined ? [first!] : [first!, `${first}/${second}`];
}

function byName(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
