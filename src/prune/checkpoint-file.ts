/** A text file inside a checkpoint folder; `path` is relative to it and uses slashes. */
export interface CheckpointFile {
  readonly path: string;
  readonly content: string;
}

/** A value as an indented JSON file. */
export function jsonFile(path: string, value: unknown): CheckpointFile {
  return { path, content: `${JSON.stringify(value, null, 2)}\n` };
}
