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
