/** A file of a workspace that is worth indexing, before it has been read. */
export interface WorkspaceFile {
  /** From the workspace's root, with `/` between folders on every system. */
  readonly path: string;
  readonly absolute: string;
  /** In bytes. */
  readonly size: number;
  readonly mtimeMs: number;
  /** What a person would call its language, in lower case ("typescript", "markdown"); "text" where nobody knows. */
  readonly language: string;
}

/** Why a file or folder is left out: a few words that a person understands, the same for all of a kind. */
export type Reason = string;

/** A file or a folder that is left out; a folder stands for all that is in it. */
export interface Excluded {
  readonly path: string;
  readonly isFolder: boolean;
  readonly reason: Reason;
  /** Where it is known without reading: of a file. */
  readonly language?: string;
}

/** What a walk of a workspace comes by. */
export type Found = { readonly file: WorkspaceFile } | { readonly excluded: Excluded };

/** What is indexed beside what the rules say. Globs are picomatch's, from the workspace's root. */
export interface FileRules {
  /**
   * Only files that one of these matches; all where empty. What one names letter by letter (`dist/**` names `dist`) is
   * indexed though git ignores it, or it is vendored or built. They do not bring back what secrets or size leave out.
   */
  readonly include: readonly string[];
  /** What one of these matches is left out, a folder with all that is in it. */
  readonly exclude: readonly string[];
  /** `false` indexes what git ignores too. */
  readonly gitignore: boolean;
  /** Larger files are left out, in bytes. */
  readonly mostBytes: number;
}

/** A file as it was read. */
export interface ReadFile {
  /** As Unicode; line ends are the file's own, and a byte order mark is gone. */
  readonly text: string;
  readonly encoding: 'utf-8' | 'utf-16le' | 'utf-16be' | 'latin1';
  /** SHA-256 of its bytes, the first 16 of 32. */
  readonly hash: Uint8Array;
}
