import { createHash } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { describeError, errors, throwIfCancelled } from '../../errors.ts';
import { reason, writeFileAtomically } from '../../files.ts';
import { acquireLock } from '../../lock.ts';
import { foundRows, type FoundRows, mineSources } from '../mine.ts';
import type { MineOptions } from '../mine/context.ts';
import { type AssembledRows, assembleRows } from './assemble.ts';
import { type FetchedPackage, type Fetcher, packageFetcher } from './fetch.ts';
import { fileOf, openFolder, type PackageRecord, partFile, readRecord, writeRecord } from './folder.ts';
import { inOrder } from './in-order.ts';
import { isPermissive } from './licence.ts';
import { keyOf, type PackageName } from './package-list.ts';

/** What to mine of packages that are fetched for it. */
export interface CollectOptions extends Omit<MineOptions, 'dependencies'> {
  /** Rows of one package, at most. */
  readonly limit: number;
  /** Packages that are never fetched, and folders of whose name are left out of others. */
  readonly excludedPackages: readonly PackageName[];
  /** Starts anew where the folder holds what other settings gave. */
  readonly force?: boolean | undefined;
  /** pip and npm where left out. */
  readonly fetcher?: Fetcher | undefined;
}

/** One step; counts never shrink. */
export interface CollectProgress {
  readonly packagesDone: number;
  readonly packages: number;
  readonly rows: number;
}

/** A package that could not be fetched; the next run tries again. */
export interface FailedPackage {
  readonly package: string;
  readonly reason: string;
}

export interface Collected extends AssembledRows {
  readonly packages: readonly PackageRecord[];
  readonly failed: readonly FailedPackage[];
  /** Named in the list and excluded. */
  readonly excluded: readonly string[];
  readonly found: readonly FoundRows[];
  readonly skipped: Readonly<Record<string, number>>;
}

/** Packages that are fetched while one is mined. */
const AHEAD = 3;

/**
 * Fetches packages one after the other and mines each as `mine` does a dependency, into `folder`: `parts/` has each
 * package's rows and what became of it, as they come, so that a run which was stopped goes on where it was; at the end
 * the rows are put together, without what turns up twice, as a data set a kind (`doc.jsonl`, …, and the same in
 * `held-out/`), with `packages.json` for names, versions and licences. In memory is one package at a time, and hashes.
 * A package without a licence that is known to be permissive is refused.
 *
 * @throws EXISTS (the folder has something else, or other settings'), BUSY, MISSING_TOOL, BAD_DATA (no row at all),
 *   WRITE_FAILED, CANCELLED
 */
export async function* collectPackages(
  wanted: readonly PackageName[],
  folder: string,
  options: CollectOptions,
): AsyncGenerator<CollectProgress, Collected> {
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw errors.writeFailed(`${folder} cannot be written: ${reason(error)}.`, error);
  });
  const release = await acquireLock(path.join(folder, '.lock'), (pid) =>
    errors.busy(`${folder} is being mined by process ${pid}: wait for it, or name another folder.`),
  );
  try {
    await openFolder(folder, describeSettings(options), options.force);
    const excludedKeys = new Set(options.excludedPackages.map(keyOf));
    const listed = wanted.filter((name) => !excludedKeys.has(keyOf(name)));
    if (listed.length === 0) throw errors.badData('Every package of the list is excluded: list others.');
    const records = new Map<string, PackageRecord>();
    const failed: FailedPackage[] = [];
    const missing: PackageName[] = [];
    for (const name of listed) {
      const record = await readRecord(folder, name);
      if (record === undefined) missing.push(name);
      else records.set(keyOf(name), record);
    }
    const progress = (current = 0): CollectProgress => ({
      packagesDone: records.size + failed.length,
      packages: listed.length,
      rows: Array.from(records.values()).reduce((sum, { rows }) => sum + rows, current),
    });
    yield progress();
    for await (const step of missing.length > 0 ? fetchAndMine(missing, folder, options) : []) {
      if (typeof step === 'object' && 'reason' in step) failed.push(step);
      else if (typeof step === 'object') records.set(step.package, step);
      yield progress(typeof step === 'number' ? step : 0);
    }
    const ordered = listed.flatMap((name) => records.get(keyOf(name)) ?? []);
    await writeFileAtomically(path.join(folder, 'packages.json'), `${JSON.stringify(ordered, undefined, 2)}\n`);
    const parts = listed.filter((name) => (records.get(keyOf(name))?.rows ?? 0) > 0).map((name) => partFile(folder, name));
    if (parts.length === 0) throw errors.badData(`None of ${listed.length} packages gave a row (${whyNothing(ordered, failed)}).`);
    const assembled = await assembleRows(parts, folder, options.signal);
    const skipped: Record<string, number> = { ...assembled.skipped };
    for (const record of ordered) for (const [why, count] of Object.entries(record.skipped)) skipped[why] = (skipped[why] ?? 0) + count;
    const excluded = wanted.map(keyOf).filter((key) => excludedKeys.has(key));
    return { ...assembled, packages: ordered, failed, excluded, found: foundRows(assembled), skipped };
  } finally {
    await release();
  }
}

/** Yields what became of each package, in their order, and how many rows there are while one is mined. */
async function* fetchAndMine(
  missing: readonly PackageName[],
  folder: string,
  { fetcher, ...options }: CollectOptions,
): AsyncGenerator<number | PackageRecord | FailedPackage> {
  const work = path.join(folder, '.work');
  const { signal } = options;
  const isExcluded = excludedFolders(options.excludedPackages);
  try {
    await rm(work, { recursive: true, force: true });
    const fetch = fetcher ?? (await packageFetcher(new Set(missing.map(({ registry }) => registry)), signal));
    const fetched = inOrder(missing, AHEAD, (name) => fetch(name, path.join(work, fileOf(name)), { isExcluded, signal }));
    for await (const { item, result } of fetched) {
      throwIfCancelled(signal);
      if (result.status === 'rejected') yield { package: keyOf(item), reason: describeError(result.reason).message };
      else yield yield* minePackage(item, result.value, folder, options);
      await rm(path.join(work, fileOf(item)), { recursive: true, force: true });
    }
  } finally {
    await rm(work, { recursive: true, force: true }).catch(() => undefined);
  }
}

function whyNothing(records: readonly PackageRecord[], failed: readonly FailedPackage[]): string {
  const record = records.find(({ refused }) => refused !== undefined) ?? records[0];
  return failed[0]?.reason ?? `${record?.package}: ${record?.refused ?? 'no function with a query and another function beside it'}`;
}

/** Writes what one package gives, its record last: a part without a record does not count. Yields rows so far. */
async function* minePackage(name: PackageName, fetched: FetchedPackage, folder: string, options: MineOptions): AsyncGenerator<number, PackageRecord> {
  const { directory, version, licence } = fetched;
  const base = { package: keyOf(name), version, licence: licence ?? null };
  const isUsable = licence !== undefined && isPermissive(licence);
  let record: PackageRecord = { ...base, refused: licence === undefined ? 'no licence' : 'licence is not known to be permissive', rows: 0, files: 0, skipped: {} };
  if (isUsable) {
    const mining = mineSources([{ directory, name: keyOf(name), own: false }], options);
    let step = await mining.next();
    for (; !step.done; step = await mining.next()) yield step.value.triplets;
    const { rows, skipped, filesDone } = step.value;
    record = { ...base, rows: rows.count, files: filesDone, skipped: skipped.counts };
    await writeFileAtomically(partFile(folder, name), async (file) => {
      for (const row of rows.all) await file.appendFile(`${JSON.stringify(row)}\n`);
    });
  }
  await writeRecord(folder, name, record);
  return record;
}

/** What decides what a mining finds. */
function describeSettings({ seed, limit, kinds, languages, negatives, heldOutShare, exclude, keepNames, excludedPackages }: CollectOptions): Record<string, unknown> {
  const hash = createHash('sha256');
  for (const each of [...(exclude ?? [])].sort()) hash.update(each);
  return {
    seed,
    packageLimit: limit,
    kinds: kinds ?? null,
    languages: languages ?? null,
    negatives: negatives ?? null,
    heldOutShare: heldOutShare ?? null,
    keepNames: keepNames ?? null,
    excludedPackages: excludedPackages.map(keyOf).sort(),
    excludedFunctions: hash.digest('hex'),
  };
}

/** Folders that are named like an excluded package hold copies of it, whoever ships them. */
function excludedFolders(excluded: readonly PackageName[]): (file: string) => boolean {
  const plain = (text: string): string => text.toLowerCase().replace(/[-.]/g, '_');
  const names = excluded.map(({ name }) => `/${plain(name)}/`);
  return (file) => {
    const folders = `/${plain(path.posix.dirname(file))}/`;
    return names.some((name) => folders.includes(name));
  };
}
