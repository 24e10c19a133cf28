import { lstat, open, realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { errors } from '../errors.ts';
import { reason } from '../files.ts';
import { readJson } from './json.ts';
import { readHeader, type SafetensorsHeader } from './safetensors-header.ts';
import type { StoredTensor } from './types.ts';

export { float32Source, readTensor, readTensorBytes, storedSource, writeSafetensors, type TensorSource } from './tensor-data.ts';

/** The name of the weights in a folder that has one file of them. */
export const WEIGHTS_FILE = 'model.safetensors';
const INDEX_FILE = 'model.safetensors.index.json';

/**
 * The tensors of one safetensors file, or of a folder with `model.safetensors` or `model.safetensors.index.json` and
 * its shards; nothing but headers is read. Tensors of other types than F32, F16 and BF16 are left out.
 * Throws `NOT_FOUND` or `BAD_MODEL_FILE`.
 */
export async function readSafetensors(path: string): Promise<Map<string, StoredTensor>> {
  return (await readWeights(path)).tensors;
}

/** As `readSafetensors`, with the names and types of the tensors that it leaves out. */
export async function readWeights(path: string): Promise<SafetensorsHeader> {
  const full = resolve(path);
  const found = await lstatFollowing(full);
  if (!found.isDirectory()) return readOne(await realpath(full), path);
  if (await exists(join(full, WEIGHTS_FILE))) return readOne(await insideFolder(full, WEIGHTS_FILE), WEIGHTS_FILE);
  if (await exists(join(full, INDEX_FILE))) return readShards(full);
  throw errors.notFound(`${path} holds neither ${WEIGHTS_FILE} nor ${INDEX_FILE}: name a folder with a model in it.`);
}

async function lstatFollowing(path: string): ReturnType<typeof lstat> {
  try {
    return await lstat(await realpath(path));
  } catch (error) {
    throw errors.notFound(`${path} cannot be read: ${reason(error)}.`, error);
  }
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

async function readOne(path: string, label: string): Promise<SafetensorsHeader> {
  // Asked before it is opened, because opening a pipe would wait for a writer.
  if (!(await lstatFollowing(path)).isFile()) throw errors.badModelFile(`${label} is not a file.`);
  const file = await open(path, 'r').catch((error: unknown) => {
    throw errors.notFound(`${label} cannot be read: ${reason(error)}.`, error);
  });
  return readHeader(file, path).finally(() => file.close());
}

async function readShards(folder: string): Promise<SafetensorsHeader> {
  const indexPath = join(folder, INDEX_FILE);
  const shardOf = parseIndex(await readJson(indexPath, errors.badModelFile), indexPath);
  const all: SafetensorsHeader = { tensors: new Map(), otherTypes: new Map() };
  for (const shard of new Set(shardOf.values())) {
    const header = await readOne(await insideFolder(folder, shard), join(folder, shard));
    for (const kind of ['tensors', 'otherTypes'] as const)
      for (const [name, value] of header[kind] as Map<string, never>) {
        // A tensor that the index gives to another shard, or to none, is two answers to one question.
        if (shardOf.get(name) !== shard)
          throw errors.badModelFile(`${indexPath} does not place tensor ${JSON.stringify(name)} in ${shard}, where it is.`);
        all[kind].set(name, value);
      }
  }
  for (const [name, shard] of shardOf)
    if (!all.tensors.has(name) && !all.otherTypes.has(name))
      throw errors.badModelFile(`${indexPath} places tensor ${JSON.stringify(name)} in ${shard}, which does not hold it.`);
  return all;
}

/** Tensor name → shard file name. */
function parseIndex(json: unknown, path: string): Map<string, string> {
  const map = (json as { weight_map?: unknown } | null)?.weight_map;
  if (typeof map !== 'object' || map === null || Array.isArray(map))
    throw errors.badModelFile(`${path} has no weight_map: fetch the model again.`);
  const entries = Object.entries(map);
  if (entries.length === 0) throw errors.badModelFile(`${path} names no tensor: fetch the model again.`);
  for (const [name, shard] of entries)
    if (typeof shard !== 'string' || !/^[^/\\:\0]+\.safetensors$/.test(shard))
      throw errors.badModelFile(
        `${path} names ${JSON.stringify(shard)?.slice(0, 200)} as the file of ${JSON.stringify(name.slice(0, 200))}, and a shard is a .safetensors file of the same folder.`,
      );
  return new Map(entries as Array<[string, string]>);
}

/**
 * The real path of a file of `folder`. A link may not lead out of the folder, except as the Hugging Face cache has it:
 * `snapshots/<revision>/<file>` → `blobs/<hash>` of the same repository.
 */
async function insideFolder(folder: string, name: string): Promise<string> {
  const path = join(folder, name);
  let real: string;
  let realFolder: string;
  try {
    [real, realFolder] = [await realpath(path), await realpath(folder)];
  } catch (error) {
    throw errors.badModelFile(`${path} cannot be read: ${reason(error)}. Fetch the model again.`, error);
  }
  const snapshots = dirname(realFolder);
  const blobs = basename(snapshots) === 'snapshots' ? join(dirname(snapshots), 'blobs') : undefined;
  if (real.startsWith(realFolder + sep) || dirname(real) === blobs) return real;
  throw errors.badModelFile(`${path} is a link that leads out of its folder: put the file itself there.`);
}
