import { basename, join } from 'node:path';
import { readFile, stat } from 'node:fs/promises';
import { errors } from '../errors.ts';
import {
  findSnapshot,
  INDEX,
  linkBlob,
  repositoryFolder,
  REQUIRED_FILES,
  shardNames,
  WEIGHTS,
  writeRef,
  type HubId,
} from './hub-cache.ts';
import { HubClient, type HubFile } from './hub-client.ts';
import { readHubSettings } from './hub-settings.ts';
import type { ResolvedModel, ResolveOptions } from './types.ts';

const OPTIONAL_FILES = ['tokenizer_config.json'];

/** `owner/name` or `owner/name@revision`, or undefined where a text is neither. */
export function parseHubId(text: string): HubId | undefined {
  const match = /^(\w[\w.-]{0,95}\/\w[\w.-]{0,95})(?:@([\w][\w.-]*(?:\/\w[\w.-]*)*))?$/.exec(text);
  if (!match?.[1] || /\.\.|--/.test(match[1]) || match[2]?.includes('..')) return undefined;
  return { name: match[1], revision: match[2] ?? 'main' };
}

/**
 * A model of the Hugging Face hub: from an existing cache, where all of it is there, else downloaded into a cache of the
 * same layout. What the cache has is used without asking whether the branch has moved on; a revision is exact.
 * `HF_ENDPOINT`, `HF_HOME`, `HF_HUB_CACHE`, `HF_TOKEN` and `HF_HUB_OFFLINE` count.
 * Throws `MODEL_UNAVAILABLE`, `DOWNLOAD_CORRUPT`, `UNSUPPORTED`, `WRITE_FAILED` or `CANCELLED`.
 */
export async function resolveHubModel(text: string, options: ResolveOptions = {}): Promise<ResolvedModel> {
  const id = parseHubId(text);
  if (!id) throw errors.usage(`${text} is no model of the hub: those are named owner/name or owner/name@revision.`);
  const settings = await readHubSettings(options.home);
  for (const cache of settings.caches) {
    const directory = await findSnapshot(cache, id);
    if (directory) return { directory, name: text, how: sentence(id, directory, `from the cache ${cache}`) };
  }
  if (settings.offline)
    throw errors.modelUnavailable(
      `${text} is in none of the caches ${settings.caches.join(' and ')}, and HF_HUB_OFFLINE forbids to download it.`,
    );
  const client = new HubClient(settings, options.signal);
  const directory = await downloadSnapshot(client, id, settings.downloadCache, options);
  return { directory, name: text, how: sentence(id, directory, `downloaded from ${settings.endpoint}`) };
}

function sentence({ name }: HubId, snapshot: string, source: string): string {
  return `${name} at commit ${basename(snapshot).slice(0, 12)}, ${source}.`;
}

async function downloadSnapshot(client: HubClient, id: HubId, cache: string, options: ResolveOptions): Promise<string> {
  const { commit, files } = await client.list(id);
  const exact = { name: id.name, revision: commit };
  const repository = repositoryFolder(cache, id);
  const byName = new Map(files.map((file) => [file.path, file]));
  const wanted = neededFiles(id, byName);
  let total = 0;
  let done = 0;
  const report = () => options.onProgress?.({ what: id.name, doneBytes: done, totalBytes: total });
  const fetchAll = async (list: readonly HubFile[]) => {
    total += list.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const file of list) {
      const blob = join(repository, 'blobs', file.hash);
      if (await hasSize(blob, file.bytes)) done += file.bytes;
      else
        await client.download(exact, file, blob, (count) => {
          done += count;
          report();
        });
      await linkBlob(repository, commit, file.path, file.hash);
      report();
    }
  };
  const snapshot = join(repository, 'snapshots', commit);
  if (byName.has(WEIGHTS)) await fetchAll([...wanted, byName.get(WEIGHTS)!]);
  else {
    await fetchAll([...wanted, byName.get(INDEX)!]);
    const shards = shardNames(await readFile(join(snapshot, INDEX), 'utf8'));
    await fetchAll(shards.map((name) => byName.get(name) ?? missing(id, name)));
  }
  await writeRef(repository, id, commit);
  return snapshot;
}

/** The small files, and a check that there are weights to go with them. */
function neededFiles(id: HubId, files: ReadonlyMap<string, HubFile>): HubFile[] {
  if (!files.has(WEIGHTS) && !files.has(INDEX))
    throw errors.unsupported(`${id.name} has no safetensors weights: take another copy of the model that has them.`);
  const required = REQUIRED_FILES.map((name) => files.get(name) ?? missing(id, name));
  return [...required, ...OPTIONAL_FILES.flatMap((name) => files.get(name) ?? [])];
}

function missing(id: HubId, name: string): never {
  throw errors.unsupported(`${id.name} has no ${name}: take another copy of the model that has it.`);
}

/** A blob appears only when it has been verified, so that its size is enough to know it by. */
async function hasSize(path: string, bytes: number): Promise<boolean> {
  return stat(path).then(({ size }) => size === bytes, () => false);
}
