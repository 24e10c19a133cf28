import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { errors } from '../../errors.ts';
import { writeFileAtomically } from '../../files.ts';
import type { PackageName } from './package-list.ts';

/** What became of one package: an item of packages.json. */
const recordSchema = z.object({
  package: z.string(),
  version: z.string(),
  licence: z.string().nullable(),
  /** Why it gave nothing. */
  refused: z.string().optional(),
  /** Before what other packages have, too, is taken out. */
  rows: z.number(),
  files: z.number(),
  skipped: z.record(z.string(), z.number()),
});
export type PackageRecord = z.infer<typeof recordSchema>;

const SETTINGS = 'settings.json';
const PARTS = 'parts';

/**
 * Makes a folder ready for the packages that settings give, and holds it to one set of them, so that what a run adds fits
 * what is there. With `force` what other settings gave is removed.
 *
 * @throws EXISTS where it has something else, or what other settings gave
 */
export async function openFolder(folder: string, settings: Readonly<Record<string, unknown>>, force = false): Promise<void> {
  const before = await readJson(path.join(folder, SETTINGS));
  if (before === undefined) {
    if ((await readdir(folder)).some((name) => name !== '.lock')) throw errors.exists(`${folder} holds something else: name a folder that is empty or does not exist yet.`);
  } else {
    const other = Object.entries(settings).filter(([name, value]) => JSON.stringify(before[name]) !== JSON.stringify(value)).map(([name]) => name);
    if (other.length === 0) return;
    if (!force) throw errors.exists(`${folder} was mined with other settings (${other.join(', ')}): name another folder, or mine it anew with --force.`);
    await rm(path.join(folder, PARTS), { recursive: true, force: true });
  }
  await mkdir(path.join(folder, PARTS), { recursive: true });
  await writeFile(path.join(folder, SETTINGS), `${JSON.stringify(settings, undefined, 2)}\n`);
}

async function readJson(file: string): Promise<Record<string, unknown> | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** What became of a package in an earlier run, of the version that is asked for, if one is. */
export async function readRecord(folder: string, name: PackageName): Promise<PackageRecord | undefined> {
  const record = await readJson(recordFile(folder, name)).then(recordSchema.safeParse);
  return record.success && (name.version === undefined || name.version === record.data.version) ? record.data : undefined;
}

/** Notes what became of a package; without it, the package's part does not count. Throws WRITE_FAILED. */
export async function writeRecord(folder: string, name: PackageName, record: PackageRecord): Promise<void> {
  await writeFileAtomically(recordFile(folder, name), `${JSON.stringify(record)}\n`);
}

/** Where the rows of a package are kept. */
export function partFile(folder: string, name: PackageName): string {
  return path.join(folder, PARTS, `${fileOf(name)}.jsonl`);
}

function recordFile(folder: string, name: PackageName): string {
  return path.join(folder, PARTS, `${fileOf(name)}.json`);
}

/** A name that every file system takes and that tells every two packages apart. */
export function fileOf({ registry, name }: PackageName): string {
  return `${registry}-${name.replace('/', '+')}`;
}
