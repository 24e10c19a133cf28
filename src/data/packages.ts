import type { Dirent } from 'node:fs';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { errors, throwIfCancelled } from '../errors.ts';
import { grammarOf } from './grammars.ts';

/** A folder that is mined as one: the workspace itself, or an installed dependency. */
export interface SourcePackage {
  readonly directory: string;
  /** The name in its package.json, or that of its folder. */
  readonly name: string;
  /** The workspace itself, whose `.gitignore` files count. */
  readonly own: boolean;
}

/**
 * What kind of folder is mined: a workspace with what is installed in it, a workspace alone, or a folder of packages that
 * were downloaded, which is no repository.
 */
export const packageLayouts = ['workspace', 'workspace-only', 'packages'] as const;
export type PackageLayout = (typeof packageLayouts)[number];

/**
 * The packages of a folder.
 *
 * @throws NOT_FOUND, CANCELLED
 */
export async function findPackages(folder: string, layout: PackageLayout = 'workspace', signal?: AbortSignal): Promise<SourcePackage[]> {
  const root = await realpath(folder).catch((cause: unknown) => {
    throw errors.notFound(`No such file or folder: ${folder}`, cause);
  });
  if (!(await stat(root)).isDirectory()) throw errors.notFound(`${folder} is not a folder: name the folder of a workspace.`);
  if (layout === 'packages') return downloadedPackages(root, signal);
  const own = await manifestOf(root);
  const workspace: SourcePackage = { directory: root, name: own?.name ?? path.basename(root), own: true };
  return layout === 'workspace-only' ? [workspace] : [workspace, ...(await installedPackages(path.join(root, 'node_modules'), signal))];
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

/** What only the root of a package holds, by the customs of one language or another. */
const MANIFEST =
  /^(package\.json|pyproject\.toml|setup\.(py|cfg)|PKG-INFO|Cargo\.toml|go\.mod|pom\.xml|build\.gradle(\.kts)?|META-INF|composer\.json|CMakeLists\.txt|configure(\.ac)?|Makefile)$|\.(gemspec|csproj|nuspec|sln)$/;
/** Folders of folders of packages are looked through so far. */
const MAX_DEPTH = 4;

/**
 * The packages in a folder that they were downloaded to: each folder that holds a manifest or source files and stands in
 * no other such folder, but for what npm installed into one. A package is named by its manifest or its place.
 */
async function downloadedPackages(root: string, signal?: AbortSignal): Promise<SourcePackage[]> {
  const packages: SourcePackage[] = [];
  const pending = [{ directory: root, depth: 0 }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    throwIfCancelled(signal);
    const { directory, depth } = next;
    const entries: Dirent[] = await readdir(directory, { withFileTypes: true }).catch(() => []);
    const isPackage = depth > 0 && (depth === MAX_DEPTH || entries.some((entry) => MANIFEST.test(entry.name) || (entry.isFile() && grammarOf(entry.name) !== undefined)));
    if (isPackage) {
      const name = (await manifestOf(directory))?.name ?? path.relative(root, directory).split(path.sep).join('/');
      packages.push({ directory, name, own: false }, ...(await installedPackages(path.join(directory, 'node_modules'), signal)));
    } else {
      const inner = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.')).map(({ name }) => name);
      pending.push(...inner.toSorted().toReversed().map((name) => ({ directory: path.join(directory, name), depth: depth + 1 })));
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
