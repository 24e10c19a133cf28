import { createHash } from 'node:crypto';
import { mkdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { errors } from '../errors.ts';
import { reason, sha256File, writeFileAtomically } from '../files.ts';
import { dataHome } from '../home.ts';
import { readJson } from './json.ts';
import type { DecoderConfig, StoredTensor } from './types.ts';

/** Hashes of weight files that were computed before, by path; valid while size and time are the same. */
const Cache = z.record(z.string(), z.object({ size: z.number(), modified: z.number(), sha256: z.hash('sha256') }));
type Cache = z.infer<typeof Cache>;

const MAX_REMEMBERED = 500;

/**
 * SHA-256, hexadecimal, of what a model computes: its settings, its weight files and its tokenizer. Where the folder
 * lies, and keys of config.json that change nothing, are not part of it. Hashing a weight file takes about a second a
 * gigabyte, so each one's hash is remembered in the data home. Throws `NOT_FOUND` or `CANCELLED`.
 */
export async function fingerprintModel(
  model: { config: DecoderConfig; tensors: ReadonlyMap<string, StoredTensor>; directory: string },
  options: { home?: string | undefined; signal?: AbortSignal | undefined } = {},
): Promise<string> {
  const { raw: _raw, ...settings } = model.config;
  const files = new Set([...model.tensors.values()].map((tensor) => tensor.file));
  const weights = await hashWeights([...files], join(dataHome(options.home), 'file-hashes.json'), options.signal);
  const hash = createHash('sha256');
  hash.update(JSON.stringify([settings, weights.toSorted()]));
  hash.update(await sha256File(join(model.directory, 'tokenizer.json'), options.signal));
  return hash.digest('hex');
}

/** SHA-256 of one file, hexadecimal, remembered in the data home. Throws `NOT_FOUND` or `CANCELLED`. */
export async function rememberedSha256(
  file: string,
  options: { home?: string | undefined; signal?: AbortSignal | undefined } = {},
): Promise<string> {
  const [sha256] = await hashWeights([resolve(file)], join(dataHome(options.home), 'file-hashes.json'), options.signal);
  return sha256!;
}

async function hashWeights(files: readonly string[], cachePath: string, signal: AbortSignal | undefined): Promise<string[]> {
  const cache = await readCache(cachePath);
  const hashes: string[] = [];
  let added = false;
  for (const file of files) {
    const { size, mtimeMs: modified } = await stat(file).catch((error: unknown) => {
      throw errors.notFound(`${file} cannot be read: ${reason(error)}.`, error);
    });
    const known = cache[file];
    if (known?.size === size && known.modified === modified) {
      hashes.push(known.sha256);
      continue;
    }
    const sha256 = await sha256File(file, signal);
    delete cache[file];
    cache[file] = { size, modified, sha256 };
    hashes.push(sha256);
    added = true;
  }
  if (added) await writeCache(cachePath, cache);
  return hashes;
}

/** What is not there or not ours counts as empty: it is computed again. */
async function readCache(path: string): Promise<Cache> {
  const json = await readJson(path, errors.badManifest).catch(() => ({}));
  const parsed = Cache.safeParse(json);
  return parsed.success ? parsed.data : {};
}

/** A home that cannot be written costs the time of hashing again, and nothing else. */
async function writeCache(path: string, cache: Cache): Promise<void> {
  const newest = Object.fromEntries(Object.entries(cache).slice(-MAX_REMEMBERED));
  await mkdir(dirname(path), { recursive: true })
    .then(() => writeFileAtomically(path, JSON.stringify(newest)))
    .catch(() => undefined);
}
