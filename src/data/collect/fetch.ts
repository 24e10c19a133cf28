import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { errors } from '../../errors.ts';
import { findPip, pipDownload } from '../../models/pip.ts';
import { extractTarball } from '../../models/tar.ts';
import { extractMatching } from '../../models/zip.ts';
import { npmReason } from '../../npm.ts';
import { runToEnd } from '../../process.ts';
import { grammarOf } from '../grammars.ts';
import { MAX_FILE_BYTES } from '../sources.ts';
import { licenceOfManifest, licenceOfMetadata } from './licence.ts';
import type { PackageName, Registry } from './package-list.ts';

/** A package's source files as they were published, and what it says of itself. */
export interface FetchedPackage {
  readonly directory: string;
  readonly version: string;
  readonly licence: string | undefined;
}

export interface FetchOptions {
  /** Tells which files are left out, by their path inside of the package. */
  readonly isExcluded: (file: string) => boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Downloads a package by the user's own pip or npm and their settings. */
export type Fetcher = (wanted: PackageName, folder: string, options: FetchOptions) => Promise<FetchedPackage>;

const NPM_LIMIT_MS = 180_000;
/** Nobody waits for one of many packages, and several are fetched while another is mined. */
const STALL_MS = 120_000;
/** No package that people wrote has more code. */
const MAX_PACKAGE_BYTES = 256 * 1024 * 1024;
const MAX_PACKAGE_FILES = 50_000;

/**
 * Fetches packages without their dependencies, as archives, and unpacks the files that can be mined. No code of a package
 * runs: of PyPI only wheels are taken, and npm runs no script.
 *
 * @returns a fetcher whose promises reject with MODEL_UNAVAILABLE or INSTALL_FAILED (the client's own reason),
 *   DOWNLOAD_CORRUPT, CANCELLED
 * @throws MISSING_TOOL where a registry's client is not on this machine
 */
export async function packageFetcher(needed: ReadonlySet<Registry>, signal?: AbortSignal): Promise<Fetcher> {
  const pip = needed.has('pypi') ? await findPip(signal) : undefined;
  if (needed.has('pypi') && pip === undefined) throw errors.missingTool('pip was not found: install Python 3 with it, or list packages of npm alone.');
  if (needed.has('npm') && !(await hasNpm(signal))) throw errors.missingTool('npm was not found: install Node.js with it, or list packages of PyPI alone.');
  return async (wanted, folder, options) => {
    const download = path.join(folder, 'download');
    const directory = path.join(folder, 'source');
    await mkdir(download, { recursive: true });
    await mkdir(directory, { recursive: true });
    const fetched = wanted.registry === 'npm' ? await fromNpm(wanted, download, directory, options) : await fromPypi(pip!, wanted, download, directory, options);
    await rm(download, { recursive: true });
    return fetched;
  };
}

async function hasNpm(signal: AbortSignal | undefined): Promise<boolean> {
  const answer = await runToEnd(['npm', '--version'], { limitMs: NPM_LIMIT_MS, signal }).catch(() => undefined);
  return answer?.code === 0;
}

async function fromPypi(
  pip: readonly [string, ...string[]],
  { name, version }: PackageName,
  download: string,
  directory: string,
  { isExcluded, signal }: FetchOptions,
): Promise<FetchedPackage> {
  const wheel = await pipDownload(pip, { requirement: version === undefined ? name : `${name}==${version}` }, download, { signal, stallMs: STALL_MS });
  const isSource = sourceFilter(isExcluded);
  await extractMatching(wheel, (file, bytes) => METADATA.test(file) || isSource(file, bytes), directory, { signal });
  const folders = (await readdir(directory)).filter((entry) => entry.endsWith('.dist-info'));
  const metadata = await readFile(path.join(directory, folders[0] ?? '', 'METADATA'), 'utf8').catch(() => '');
  return { directory, version: /^Version:\s*(\S+)/im.exec(metadata)?.[1] ?? version ?? '', licence: licenceOfMetadata(metadata) };
}

const METADATA = /^[^/]+\.dist-info\/METADATA$/;
const MANIFEST = 'package/package.json';

async function fromNpm({ name, version }: PackageName, download: string, folder: string, { isExcluded, signal }: FetchOptions): Promise<FetchedPackage> {
  const spec = version === undefined ? name : `${name}@${version}`;
  const { code, output } = await runToEnd(['npm', 'pack', spec, '--ignore-scripts', '--no-update-notifier', '--pack-destination', download], {
    cwd: download,
    limitMs: NPM_LIMIT_MS,
    signal,
  });
  const archive = (await readdir(download)).find((file) => file.endsWith('.tgz'));
  if (code !== 0 || archive === undefined) throw errors.installFailed(`npm could not download ${spec}: ${npmReason(output)}.`);
  const isSource = sourceFilter(isExcluded);
  // What stands in a package's archive stands in one folder, by custom "package".
  await extractTarball(path.join(download, archive), (file, bytes) => file === MANIFEST || isSource(file.replace(/^[^/]*\//, ''), bytes), folder, signal);
  const manifest = JSON.parse(await readFile(path.join(folder, MANIFEST), 'utf8').catch(() => '{}')) as { version?: unknown; license?: unknown; licenses?: unknown };
  const [top = 'package'] = await readdir(folder);
  return { directory: path.join(folder, top), version: String(manifest.version ?? version ?? ''), licence: licenceOfManifest(manifest) };
}

/** Asked once a file: whether it can be mined, is the package's own, and not one too many. */
function sourceFilter(isExcluded: (file: string) => boolean): (file: string, bytes: number) => boolean {
  let files = 0;
  let total = 0;
  return (file, bytes) => {
    if (grammarOf(file) === undefined || bytes > MAX_FILE_BYTES || /(^|\/)node_modules\//.test(file) || isExcluded(file)) return false;
    files++;
    total += bytes;
    return files <= MAX_PACKAGE_FILES && total <= MAX_PACKAGE_BYTES;
  };
}
