import { errors } from '../../errors.ts';
import { chunkKinds, type ChunkKind } from '../chunks/types.ts';
import { compileGlobs } from '../files/globs.ts';
import type { IndexReader } from '../store/reader.ts';

/** What counts as a result; all where nothing is said, or a list is empty. */
export interface SearchFilter {
  /** Languages by their names, in any case: "typescript". */
  readonly languages?: readonly string[] | undefined;
  /**
   * Globs from the workspace's root, any of which a path matches; one without a slash matches names, and a folder means all
   * that is in it.
   */
  readonly paths?: readonly string[] | undefined;
  readonly kinds?: readonly ChunkKind[] | undefined;
}

const mostGlobs = 50;

/** Files by id, kept as the index grows, so that a filter is a look into a set. */
export class FileTable {
  readonly #files = new Map<number, { readonly path: string; readonly language: string }>();
  #last = 0;

  refresh(reader: Pick<IndexReader, 'files'>): void {
    for (const { id, path, language } of reader.files(this.#last)) {
      this.#files.set(id, { path, language });
      this.#last = id;
    }
  }

  /** The files that a filter wants; undefined where it wants all. Errors: USAGE for a glob that is none. */
  wanted({ languages = [], paths = [] }: SearchFilter): ReadonlySet<number> | undefined {
    if (languages.length === 0 && paths.length === 0) return undefined;
    const isPath = paths.length === 0 ? () => true : pathTest(paths);
    const names = new Set(languages.map((language) => language.toLowerCase()));
    const isLanguage = (language: string): boolean => names.size === 0 || names.has(language);
    return new Set(Array.from(this.#files).flatMap(([id, { path, language }]) => (isLanguage(language) && isPath(path) ? [id] : [])));
  }

  /** Why a filter wants no file at all, a sentence each: a name that is misspelt finds nothing, as does one that is right. */
  notesOn({ languages = [], paths = [] }: SearchFilter): string[] {
    const known = new Set(Array.from(this.#files.values(), ({ language }) => language));
    const unknown = languages.filter((language) => !known.has(language.toLowerCase()));
    const notes = unknown.length === 0 || known.size === 0 ? [] : [`No file is in ${unknown.join(', ')}: there are ${[...known].sort().join(', ')}.`];
    if (paths.length > 0 && this.wanted({ paths })!.size === 0) notes.push(`No file matches ${paths.join(', ')}: write a glob from the workspace's root, as src/**/*.ts.`);
    return notes;
  }
}

/** The numbers that the store has for kinds; undefined where all are wanted. */
export function wantedKinds({ kinds = [] }: SearchFilter): ReadonlySet<number> | undefined {
  return kinds.length === 0 ? undefined : new Set(kinds.map((kind) => chunkKinds.indexOf(kind)));
}

function pathTest(globs: readonly string[]): (path: string) => boolean {
  if (globs.length > mostGlobs) throw errors.usage(`A filter takes up to ${mostGlobs} globs.`);
  const negated = globs.find((glob) => glob.startsWith('!'));
  if (negated !== undefined) throw errors.usage(`The filter ${negated} says what is not wanted: name what is.`);
  // Without a slash it is the name of a file, or of a folder with all that is in it, wherever it stands.
  const include = globs.flatMap((glob) => (glob.includes('/') || glob.trim() === '' ? [glob.trim()] : [`**/${glob}`, `**/${glob}/**`]));
  return compileGlobs({ include, exclude: [] }).isIncluded;
}
