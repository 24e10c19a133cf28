import picomatch from 'picomatch';
import { errors } from '../../errors.ts';
import { chunkKinds, type ChunkKind } from '../chunks/types.ts';
import type { IndexReader } from '../store/reader.ts';

/** What counts as a result; all where nothing is said. */
export interface SearchFilter {
  /** Languages by their names: "typescript". */
  readonly languages?: readonly string[] | undefined;
  /** Globs from the workspace's root, any of which a path matches; one without a slash matches names. */
  readonly paths?: readonly string[] | undefined;
  readonly kinds?: readonly ChunkKind[] | undefined;
}

const mostGlobs = 50;
const mostGlobCharacters = 1000;

/** Files by id, kept as the index grows, so that a filter is a look into a set. */
export class FileTable {
  readonly #files = new Map<number, { readonly path: string; readonly language: string }>();
  #last = 0;

  refresh(reader: IndexReader): void {
    for (const { id, path, language } of reader.files(this.#last)) {
      this.#files.set(id, { path, language });
      this.#last = id;
    }
  }

  clear(): void {
    this.#files.clear();
    this.#last = 0;
  }

  /** The files that a filter wants; undefined where it wants all. Errors: USAGE for a glob that is none. */
  wanted({ languages, paths }: SearchFilter): ReadonlySet<number> | undefined {
    if (languages === undefined && paths === undefined) return undefined;
    const isPath = paths === undefined ? () => true : pathTest(paths);
    const isLanguage = languages === undefined ? () => true : (language: string) => languages.includes(language);
    return new Set(Array.from(this.#files).flatMap(([id, { path, language }]) => (isLanguage(language) && isPath(path) ? [id] : [])));
  }
}

/** The numbers that the store has for kinds; undefined where all are wanted. */
export function wantedKinds({ kinds }: SearchFilter): ReadonlySet<number> | undefined {
  return kinds === undefined ? undefined : new Set(kinds.map((kind) => chunkKinds.indexOf(kind)));
}

function pathTest(globs: readonly string[]): (path: string) => boolean {
  if (globs.length > mostGlobs || globs.some((glob) => glob.length > mostGlobCharacters || glob.trim() === ''))
    throw errors.usage(`A filter takes up to ${mostGlobs} globs of 1 to ${mostGlobCharacters} characters.`);
  try {
    const tests = globs.map((glob) => picomatch(glob.replace(/^\.?\//, ''), { dot: true, basename: !glob.includes('/') }));
    return (path) => tests.some((test) => test(path));
  } catch (error) {
    throw errors.usage(`The filter ${globs.join(', ')} is no glob: write one like src/**/*.ts.`, error);
  }
}
