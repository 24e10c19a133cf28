import { DEFAULT_MOST_BYTES, folderReason } from './rules.ts';
import type { FileRules } from './types.ts';

/** What is indexed where nobody says otherwise. */
export const defaultFileRules: FileRules = { include: [], exclude: [], gitignore: true, mostBytes: DEFAULT_MOST_BYTES };

/** Whether a folder is left out wherever it stands, so that nothing in it is worth a watch. */
export function isNeverIndexed(name: string): boolean {
  return folderReason(name, new Set()) !== undefined;
}
