import { copyFile, lstat, mkdir, readFile, stat, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errors } from '../errors.ts';
import { writeFileAtomically } from '../files.ts';
import { parseJson } from './json.ts';

/** A model of the hub at a branch, a tag or a commit. */
export interface HubId {
  /** `owner/name`. */
  readonly name: string;
  readonly revision: string;
}

/** Files without which a folder is no checkpoint, beside its weights. */
export const REQUIRED_FILES = ['config.json', 'tokenizer.json'] as const;
export const WEIGHTS = 'model.safetensors';
export const INDEX = 'model.safetensors.index.json';

const COMMIT = /^[0-9a-f]{40}$/;

/** `<cache>/models--owner--name`. */
export function repositoryFolder(cache: string, { name }: HubId): string {
  return join(cache, `models--${name.replace('/', '--')}`);
}

/** The snapshot of a model in a cache, where all of it is there; its commit is the folder's name. */
export async function findSnapshot(cache: string, id: HubId): Promise<string | undefined> {
  const folder = repositoryFolder(cache, id);
  const commit = COMMIT.test(id.revision)
    ? id.revision
    : (await readFile(join(folder, 'refs', ...id.revision.split('/')), 'utf8').catch(() => '')).trim();
  if (!COMMIT.test(commit)) return undefined;
  const snapshot = join(folder, 'snapshots', commit);
  return (await isComplete(snapshot)) ? snapshot : undefined;
}

async function isComplete(snapshot: string): Promise<boolean> {
  const has = (name: string) => stat(join(snapshot, name)).then((found) => found.isFile(), () => false);
  for (const name of REQUIRED_FILES) if (!(await has(name))) return false;
  if (await has(WEIGHTS)) return true;
  try {
    const shards = shardNames(await readFile(join(snapshot, INDEX), 'utf8'));
    return (await Promise.all(shards.map(has))).every(Boolean);
  } catch {
    return false;
  }
}

/** The file names in `model.safetensors.index.json`. Throws `BAD_MODEL_FILE`; a name that leaves the folder is refused. */
export function shardNames(index: string): string[] {
  let map: unknown;
  try {
    map = (parseJson(index) as { weight_map?: unknown } | null)?.weight_map;
  } catch (error) {
    throw errors.badModelFile(`${INDEX} of the model is not right: ${(error as Error).message}.`, error);
  }
  const names = typeof map === 'object' && map !== null ? [...new Set(Object.values(map))] : [];
  const isName = (name: unknown): name is string => typeof name === 'string' && /^[\w.-]+\.safetensors$/.test(name);
  if (names.length === 0 || !names.every(isName))
    throw errors.badModelFile(`${INDEX} of the model does not name its files as it should.`);
  return names;
}

/** Puts a blob's file name into a snapshot, as the Hugging Face cache does: by a link, or a copy where links are not allowed. */
export async function linkBlob(repository: string, commit: string, file: string, blob: string): Promise<void> {
  const path = join(repository, 'snapshots', commit, file);
  if (await lstat(path).then(() => true, () => false)) return;
  await mkdir(dirname(path), { recursive: true });
  try {
    await symlink(join('..', '..', 'blobs', blob), path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    if (code !== 'EPERM' && code !== 'ENOTSUP') throw error;
    await copyFile(join(repository, 'blobs', blob), path);
  }
}

/** Notes that a branch or tag stands at a commit; the last step, so that a ref never names half a snapshot. */
export async function writeRef(repository: string, id: HubId, commit: string): Promise<void> {
  if (COMMIT.test(id.revision)) return;
  const path = join(repository, 'refs', ...id.revision.split('/'));
  await mkdir(dirname(path), { recursive: true });
  await writeFileAtomically(path, commit);
}
