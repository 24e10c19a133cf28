/**
 * Builds the workspace that the index is measured on, by the user's own pip and npm and their settings:
 *
 *   node test/bench/workspace/build.ts [--out DIR] [--files 1000]
 *
 * Its files are the first so many source files of the packages in `packages.txt`, by package in the order of the list and
 * by path within a package, as they were published. Packages without a licence that is known to be permissive are refused,
 * and those that quality is measured with. DIR (default: in the system's folder for temporary files) gets `files/`, the
 * workspace, and `manifest.json`, which tells the package, version and licence of every file; where it has them already,
 * nothing is fetched.
 */
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';
import { parseArgs } from 'node:util';
import { packageFetcher } from '../../../src/data/collect/fetch.ts';
import { fileOf } from '../../../src/data/collect/folder.ts';
import { inOrder } from '../../../src/data/collect/in-order.ts';
import { isPermissive } from '../../../src/data/collect/licence.ts';
import { keyOf, readPackageList, type PackageName } from '../../../src/data/collect/package-list.ts';
import { grammarOf } from '../../../src/data/grammars.ts';
import { writeFileAtomically } from '../../../src/files.ts';

export interface BuiltWorkspace {
  /** The workspace itself. */
  readonly root: string;
  readonly packages: readonly WorkspacePackage[];
}

interface WorkspacePackage {
  readonly package: string;
  readonly version: string;
  readonly licence: string;
  readonly files: number;
}

export const defaultFiles = 1000;
/** What benches keep from one run to the next, where no other folder is named. */
export const defaultCache = join(tmpdir(), 'l3prune-bench');
export const workspaceFolder = (cache: string): string => join(cache, 'workspace');

/** Packages that are fetched while one is copied. */
const ahead = 3;
/** What was built of the sources, and declarations without code. */
const isBuilt = (file: string): boolean => /(^|\/)(dist|build|types|typings|browser)\/|\.d\.[mc]?ts$|\.min\.js$/.test(file);

/** The workspace in a folder, built where it is not there yet. */
export async function openWorkspace(folder: string, files = defaultFiles): Promise<BuiltWorkspace> {
  const manifest = join(folder, 'manifest.json');
  const root = join(folder, 'files');
  const list = await allowedPackages();
  const found = JSON.parse(await readFile(manifest, 'utf8').catch(() => 'null')) as { list: PackageName[]; packages: WorkspacePackage[] } | null;
  if (found !== null && JSON.stringify(found.list) === JSON.stringify(list) && total(found.packages) === files) return { root, packages: found.packages };
  await mkdir(folder, { recursive: true });
  await rm(manifest, { force: true });
  await rm(root, { recursive: true, force: true });
  const packages = await gather(list, root, files);
  await writeFileAtomically(manifest, `${JSON.stringify({ list, packages }, undefined, 2)}\n`);
  return { root, packages };
}

async function allowedPackages(): Promise<PackageName[]> {
  const listed = await readPackageList(join(import.meta.dirname, 'packages.txt'));
  const excluded = new Set((await readPackageList(join(import.meta.dirname, '../mining/evaluation-packages.txt'))).map(keyOf));
  const measuredWith = listed.map(keyOf).filter((key) => excluded.has(key));
  if (measuredWith.length > 0) throw new Error(`Quality is measured with ${measuredWith.join(', ')}: list other packages.`);
  return listed;
}

/** Fetches package after package until there are enough files. */
async function gather(list: readonly PackageName[], root: string, files: number): Promise<WorkspacePackage[]> {
  const fetch = await packageFetcher(new Set(list.map(({ registry }) => registry)));
  const work = await mkdtemp(join(tmpdir(), 'l3prune-bench-packages-'));
  const packages: WorkspacePackage[] = [];
  try {
    for await (const { item, result } of inOrder(list, ahead, (name) => fetch(name, join(work, fileOf(name)), { isExcluded: isBuilt }))) {
      if (result.status === 'rejected') throw result.reason;
      const { directory, version, licence } = result.value;
      if (licence === undefined || !isPermissive(licence)) throw new Error(`The licence of ${keyOf(item)} (${licence ?? 'none'}) is not known to be permissive: list another package.`);
      const sources = (await sourceFiles(directory)).slice(0, files - total(packages));
      for (const file of sources) await place(join(directory, file), join(root, fileOf(item), file));
      packages.push({ package: keyOf(item), version, licence, files: sources.length });
      if (total(packages) === files) return packages;
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  throw new Error(`The packages of the list have ${total(packages)} files, not ${files}: list more.`);
}

/** From the package's folder, in an order that is the same everywhere. */
async function sourceFiles(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => relative(directory, join(entry.parentPath, entry.name)).split(sep).join('/'));
  const sources: string[] = [];
  for (const file of files.filter((name) => grammarOf(name) !== undefined).sort()) {
    if ((await stat(join(directory, file))).size > 0) sources.push(file);
  }
  return sources;
}

async function place(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await rename(from, to).catch(() => copyFile(from, to));
}

function total(packages: readonly WorkspacePackage[]): number {
  return packages.reduce((sum, { files }) => sum + files, 0);
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { out: { type: 'string', default: workspaceFolder(defaultCache) }, files: { type: 'string', default: String(defaultFiles) } } });
  const { root, packages } = await openWorkspace(values.out, Number(values.files));
  for (const { package: name, version, licence, files } of packages) console.log(`${name} ${version} (${licence}): ${files} files`);
  console.log(root);
}
