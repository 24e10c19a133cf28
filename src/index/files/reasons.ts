import type { Reason } from './types.ts';

/** Every reason for which a file or a folder is left out. */
export const reasons = {
  // What the file system says.
  link: 'symbolic link',
  notRegular: 'not a regular file',
  unreadable: 'unreadable',
  vanished: 'vanished',
  badName: 'name is not valid Unicode',
  // What the user says.
  ignoredByGit: 'ignored by git',
  ignoredByUs: 'ignored by .l3pruneignore',
  excluded: 'excluded by a glob',
  notIncluded: 'not included by a glob',
  // What the name says.
  versionControl: 'version control',
  hidden: 'hidden',
  vendored: 'vendored',
  buildOutput: 'build output',
  lockFile: 'lock file',
  sourceMap: 'source map',
  // What the size or the content says.
  tooLarge: 'too large',
  empty: 'empty',
  data: 'data',
  // What the name or the content says.
  secret: 'looks like a secret',
  binary: 'binary',
  minified: 'minified',
  generated: 'generated',
} as const satisfies Record<string, Reason>;

/** What a failed call of the file system means for the one file or folder that it was about. */
export function reasonOf(error: unknown): Reason {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
    case 'ENOTDIR': // A folder on the way became a file.
      return reasons.vanished;
    case 'ELOOP':
    case 'EMLINK': // FreeBSD's word for a link that was not to be followed.
      return reasons.link;
    case 'EISDIR':
    case 'ENXIO': // A socket, or a device that is gone.
      return reasons.notRegular;
    default:
      return reasons.unreadable;
  }
}
