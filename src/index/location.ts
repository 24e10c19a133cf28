import { createHash } from 'node:crypto';
import { mkdir, realpath, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { errors } from '../errors.ts';
import { reason, writeFileAtomically } from '../files.ts';

/** Where the index of a workspace lies. */
export interface IndexLocation {
  /** The workspace's real path. */
  readonly root: string;
  readonly folder: string;
  readonly database: string;
  /** Held by the one process that writes. */
  readonly lock: string;
  /** Where processes that wait for an answer say so: see announce.ts. */
  readonly waiting: string;
}

/**
 * The place of a workspace's index in the data home: its folder is named by a hash of the workspace's real path, so that
 * links to one workspace share one index and nothing is written into the workspace.
 *
 * @throws NOT_FOUND where the workspace is not a folder
 */
export async function locateIndex(home: string, workspace: string): Promise<IndexLocation> {
  const root = await realpath(resolve(workspace)).catch((error: unknown) => {
    throw errors.notFound(`The workspace ${workspace} cannot be opened: ${reason(error)}.`, error);
  });
  if (!(await stat(root)).isDirectory()) throw errors.notFound(`The workspace ${workspace} is a file: name a folder.`);
  const folder = join(home, 'indexes', createHash('sha256').update(root).digest('hex').slice(0, 16));
  return { root, folder, database: join(folder, 'index.sqlite'), lock: join(folder, 'writer.lock'), waiting: join(folder, 'waiting') };
}

/** Makes the folder, with a file that tells a person whose index it is. Errors: WRITE_FAILED. */
export async function prepareLocation({ folder, root, waiting }: IndexLocation): Promise<void> {
  try {
    await mkdir(waiting, { recursive: true });
  } catch (error) {
    throw errors.writeFailed(`The index folder ${folder} cannot be made: ${reason(error)}.`, error);
  }
  await writeFileAtomically(join(folder, 'workspace.json'), `${JSON.stringify({ workspace: root })}\n`);
}
