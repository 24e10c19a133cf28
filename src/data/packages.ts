import type { Dirent } from 'node:fs';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { errors, throwIfCancelled } from '../errors.ts';

/** A folder that is mined as one: a workspace itself, a dependency that is installed in it, or a package that was fetched. */
export interface SourcePackage {
  readonly directory: string;
  /** The name in its package.json, or that of its folder. */
  readonly name: string;
  /** A workspace itself, whose `.gitignore` files and history count. */
  readonly own: boolean;
}

/**
 * The packages of a workspace: itself, first, and what is installed in it.
 *
 * @param dependencies leaves out what is installed where false
 * @throws NOT_FOUND, CANCELLED
 */
export async function findPackages(folder: string, dependencies = true, signal?: AbortSignal): Promise<SourcePackage[]> {
  const root = await realpath(folder).catch((cause: unknown) => {
    throw errors.notFound(`No such file or folder: ${folder}`, cause);
  });
  if (!(await stat(root)).isDirectory()) throw errors.notFound(`${folder} is not a folder: name the folder of a workspace.`);
  const own = await manifestOf(root);
  const workspace: SourcePackage = { directory: root, name: own?.name ?? path.basename(root), own: true };
  return dependencies ? [workspace, ...(await installedPackages(path.join(root, 'node_modules'), signal))] : [workspace];
}

/**
 * The packages that are installed in a `node_modules` (nested ones and pnpm's store included), each name and version once.
 * Links are followed as far as they stay inside of it.
 */
async function installedPackages(modules: string, signal?: AbortSignal): Promise<SourcePackage[]> {
  const packages: SourcePackage[] = [];
  const seen = new Set<string>();
  const pending = [modules];
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    for (const candidate of await installedIn(folder)) {
      throwIfCancelled(signal);
      const directory = await realpath(candidate).catch(() => undefined);
      if (directory === undefined || !directory.startsWith(modules + path.sep)) continue;
      pending.push(path.join(directory, 'node_modules'));
      const manifest = await manifestOf(directory);
      const key = `${manifest?.name}@${manifest?.version}`;
      if (manifest === undefined || seen.has(key)) continue;
      seen.add(key);
      packages.push({ directory, name: manifest.name, own: false });
    }
  }
  return packages;
}

/** The package folders of a `node_modules`, by name, scoped ones and those of pnpm's store among them. */
async function installedIn(modules: string): Promise<string[]> {
  const folders = await subfolders(modules);
  const nested = await Promise.all(
    folders.map(async (name) => {
      const folder = path.join(modules, name);
      if (name.startsWith('@')) return (await subfolders(folder)).map((scoped) => path.join(folder, scoped));
      if (name === '.pnpm') {
        const stores = await Promise.all((await subfolders(folder)).map((store) => installedIn(path.join(folder, store, 'node_modules'))));
        return stores.flat();
      }
      return name.startsWith('.') ? [] : [folder];
    }),
  );
  return nested.flat();
}

async function subfolders(folder: string): Promise<string[]> {
  const entries: Dirent[] = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.flatMap((entry) => (entry.isDirectory() || entry.isSymbolicLink() ? [entry.name] : [])).sort();
}

async function manifestOf(directory: string): Promise<{ name: string; version: string } | undefined> {
  try {
    const { name, version } = JSON.parse(await readFile(path.join(directory, 'package.json'), 'utf8')) as Record<string, unknown>;
    return typeof name === 'string' ? { name, version: String(version) } : undefined;
  } catch {
    return undefined;
  }
}
