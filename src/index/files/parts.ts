import { OWN_IGNORE_FILE } from './rules.ts';

/** The parts of a workspace that are walked: files, and folders with all that is in them. */
export class Parts {
  readonly #parts: ReadonlySet<string>;
  /** The folders on the way to them. */
  readonly #above = new Set<string>();

  /** @param only from the root, with `/`; the root itself is empty */
  constructor(only: readonly string[]) {
    this.#parts = new Set(only);
    for (const part of only) for (let end = part.lastIndexOf('/'); end > 0; end = part.lastIndexOf('/', end - 1)) this.#above.add(part.slice(0, end));
  }

  /** Whether a path is one of them. What is in one of them is not asked for. */
  has(path: string): boolean {
    return this.#parts.has(path);
  }

  isAbove(folder: string): boolean {
    return this.#above.has(folder);
  }
}

const RULES_FILES: readonly string[] = ['.gitignore', OWN_IGNORE_FILE];

/**
 * What has to be looked at again where files and folders have changed: rules that are read from a file count for all of the
 * folder that it lies in. Undefined where that is the whole workspace.
 */
export function partsToLookAt(changed: readonly string[]): readonly string[] | undefined {
  const parts = changed.map((path) => (RULES_FILES.includes(path.slice(path.lastIndexOf('/') + 1)) ? path.slice(0, Math.max(0, path.lastIndexOf('/'))) : path));
  return parts.includes('') ? undefined : parts;
}
