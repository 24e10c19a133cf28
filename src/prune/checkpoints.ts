import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describeError, errors } from '../errors.ts';
import { reason } from '../files.ts';
import { readSafetensors } from '../models/safetensors.ts';
import type { StoredTensor } from '../models/types.ts';
import type { CheckpointSummary, DamagedCheckpoint } from './job.ts';
import { manifestFile, readManifest } from './manifest.ts';

/** What a checkpoint folder is, without opening its weights. Errors: BAD_MANIFEST, BAD_MODEL_FILE, NOT_FOUND. */
export async function summarize(directory: string): Promise<CheckpointSummary> {
  const manifest = await readManifest(directory);
  if (manifest === undefined) throw errors.badManifest(`${directory} has no l3prune.json: it is not a checkpoint of ours.`);
  const tensors = await readSafetensors(directory);
  return {
    path: directory,
    name: basename(directory),
    baseModel: manifest.base.name,
    layersKept: manifest.layers,
    layersOfBase: manifest.base.layers,
    parameters: countParameters(tensors),
    bytes: await folderBytes(directory),
    created: manifest.created,
  };
}

/** The numbers in a model's tensors, embeddings included. */
export function countParameters(tensors: ReadonlyMap<string, StoredTensor>): number {
  let count = 0;
  for (const { shape } of tensors.values()) count += shape.reduce((product, length) => product * length, 1);
  return count;
}

/**
 * The checkpoints in a folder and one level below it, newest first, and those that cannot be opened with the reason.
 * A folder that is not there holds none.
 */
export async function listCheckpoints(
  folder: string,
): Promise<{ checkpoints: CheckpointSummary[]; damaged: DamagedCheckpoint[] }> {
  const checkpoints: CheckpointSummary[] = [];
  const damaged: DamagedCheckpoint[] = [];
  for (const directory of await checkpointFolders(folder)) {
    try {
      checkpoints.push(await summarize(directory));
    } catch (error) {
      damaged.push({ path: directory, reason: describeError(error).message });
    }
  }
  checkpoints.sort((a, b) => b.created.localeCompare(a.created));
  return { checkpoints, damaged };
}

/** The folders of runs: `run/` itself, or the cuts inside of it where it is not one. Hidden folders are unfinished writes. */
async function checkpointFolders(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const run of await subfolders(folder)) {
    if (await isUnfinishedTraining(run)) continue;
    const cuts = (await isCheckpoint(run)) ? [] : await subfolders(run);
    for (const folder of cuts.length > 0 ? cuts : [run]) if (!(await isUnfinishedTraining(folder))) found.push(folder);
  }
  return found;
}

/** What says what a training is, in its folder, until the checkpoint is there. */
export const trainingDescription = join('training', 'run.json');

/** A training that is running or was stopped has no checkpoint yet, and is not a damaged one. */
async function isUnfinishedTraining(folder: string): Promise<boolean> {
  return !(await isCheckpoint(folder)) && (await isFile(join(folder, trainingDescription)));
}

async function isCheckpoint(folder: string): Promise<boolean> {
  return isFile(join(folder, manifestFile));
}

function isFile(path: string): Promise<boolean> {
  return stat(path).then((entry) => entry.isFile(), () => false);
}

async function subfolders(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw errors.notFound(`The checkpoints in ${folder} cannot be listed: ${reason(error)}.`, error);
  });
  return entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.')).map((entry) => join(folder, entry.name));
}

async function folderBytes(directory: string): Promise<number> {
  const entries = await readdir(directory, { withFileTypes: true, recursive: true });
  const sizes = entries.filter((entry) => entry.isFile()).map(async (entry) => (await stat(join(entry.parentPath, entry.name))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
