import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, constants, lstat, mkdir, open, readdir, realpath, rename, rm, rmdir, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { errors, L3PruneError, throwIfCancelled } from './errors.ts';

/** What a file is to hold: the whole of it, or a function that writes it piece by piece. */
export type FileContent = string | Uint8Array | ((file: FileHandle) => Promise<void>);

/**
 * Writes a file so that a reader, or a machine that loses power, sees the old content or the new one and nothing
 * between: a temporary name in the same folder, fsync, rename, fsync of the folder. On failure the old file stands.
 * Throws `WRITE_FAILED`, or whatever `content` throws.
 */
export async function writeFileAtomically(
  path: string,
  content: FileContent,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const folder = dirname(resolve(path));
  const temporary = temporaryName(path, 'tmp');
  try {
    await removeStale(path);
    const file = await open(temporary, 'wx');
    try {
      if (typeof content === 'function') await content(file);
      else await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    throwIfCancelled(options.signal);
    await rename(temporary, path);
    await syncFolder(folder);
  } catch (error) {
    await removeIfPossible(temporary);
    throw asWriteFailure(error, path);
  }
}

/** What may stand where a folder is to be written. */
export interface FolderOptions {
  /** Replace a folder that is already there. Only one that is empty or holds `marker` is ever replaced. */
  readonly force?: boolean | undefined;
  /** The file that says a folder is of our kind, so that `--force` on a mistyped path deletes nobody's home. */
  readonly marker?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes a folder that appears whole or not at all: `fill` writes into a hidden sibling, which is synced and renamed at
 * the end and removed on failure; siblings that a killed process left behind are removed by the next call.
 * Throws `EXISTS` before `fill` is called, `CANCELLED`, `WRITE_FAILED`, or whatever `fill` throws.
 */
export async function writeFolderAtomically(
  directory: string,
  fill: (temporary: string) => Promise<void>,
  options: FolderOptions = {},
): Promise<void> {
  const target = await realpath(directory).catch(() => resolve(directory));
  const temporary = temporaryName(target, 'tmp');
  let firstMade: string | undefined;
  try {
    firstMade = await mkdir(dirname(target), { recursive: true });
    await removeStale(target);
    await checkReplaceable(target, options);
    await mkdir(temporary);
    await fill(temporary);
    await syncTree(temporary, options.signal);
    throwIfCancelled(options.signal);
    await swapIn(temporary, target, options);
    await syncFolder(dirname(target));
  } catch (error) {
    await removeIfPossible(temporary);
    if (firstMade !== undefined) await removeEmpty(dirname(target), firstMade);
    throw asWriteFailure(error, directory);
  }
}

/**
 * Throws what `writeFolderAtomically` would for this folder, as far as it can be known before there is anything to write:
 * `EXISTS`, or `WRITE_FAILED` where a part of its path is a file or may not be written to. Nothing is changed.
 */
export async function checkFolderTarget(directory: string, options: FolderOptions = {}): Promise<void> {
  const target = await realpath(directory).catch(() => resolve(directory));
  try {
    await checkReplaceable(target, options);
    await access(await nearestFolder(dirname(target)), constants.W_OK);
  } catch (error) {
    throw asWriteFailure(error, directory);
  }
}

/** The folder itself, or the nearest one above it that exists. */
async function nearestFolder(folder: string): Promise<string> {
  const found = await stat(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined) return nearestFolder(dirname(folder));
  if (!found.isDirectory()) throw Object.assign(new Error(`${folder} is a file`), { code: 'ENOTDIR', syscall: 'stat' });
  return folder;
}

/** Cleans up after a failure, which is what is to be told of: another one here must not hide it. */
async function removeIfPossible(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch(() => undefined);
}

/** Removes the folders from `folder` up to `last`, as long as they are empty. */
export async function removeEmpty(folder: string, last: string): Promise<void> {
  for (let current = folder; ; current = dirname(current)) {
    const isGone = await rmdir(current).then(() => true, () => false);
    if (!isGone || current === last) return;
  }
}

/** SHA-256 of a file, hexadecimal, read as a stream. Throws `CANCELLED`, or `NOT_FOUND` where it cannot be read. */
export async function sha256File(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
      throwIfCancelled(signal);
      hash.update(chunk as Buffer);
    }
  } catch (error) {
    if (error instanceof L3PruneError) throw error;
    throw errors.notFound(`${path} cannot be read: ${reason(error)}.`, error);
  }
  return hash.digest('hex');
}

/** The operating system's own words for a failure, shortened to one clause. */
export function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ENOENT':
      return 'there is no such file or folder';
    case 'EACCES':
    case 'EPERM':
      return 'permission denied';
    case 'ENOSPC':
      return 'the disk is full';
    case 'EISDIR':
      return 'it is a folder';
    case 'ENOTDIR':
      return 'a part of its path is not a folder';
    case 'EROFS':
      return 'the disk can only be read';
    case 'EDQUOT':
      return 'the disk quota is used up';
    case 'EFBIG':
      return 'the file would be larger than it may be here';
    case 'ENAMETOOLONG':
      return 'its name is too long';
    default:
      return code ?? String(message);
  }
}

/** `.NAME.tmp-PID-RANDOM` beside NAME: hidden, and its process can be asked whether it lives. */
function temporaryName(path: string, kind: 'tmp' | 'old'): string {
  const full = resolve(path);
  return join(dirname(full), `.${basename(full)}.${kind}-${process.pid}-${randomBytes(4).toString('hex')}`);
}

/** Removes what killed processes left beside `path`; puts back the old folder of one killed between its two renames. */
export async function removeStale(path: string): Promise<void> {
  const full = resolve(path);
  const start = `.${basename(full)}.`;
  const siblings = await readdir(dirname(full)).catch(() => []);
  for (const name of siblings.filter((sibling) => sibling.startsWith(start))) {
    const match = /^(tmp|old)-(\d+)-[0-9a-f]{8}$/.exec(name.slice(start.length));
    if (!match) continue;
    const stale = join(dirname(full), name);
    const pid = Number(match[2]);
    if (pid === process.pid ? !(await isOlderThanThisProcess(stale)) : isAlive(pid)) continue;
    if (match[1] === 'old' && !(await exists(full))) await rename(stale, full);
    else await rm(stale, { recursive: true, force: true });
  }
}

/** Another had this process's number before: in containers the first one always has the same. */
async function isOlderThanThisProcess(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  return found !== undefined && found.mtimeMs < Date.now() - process.uptime() * 1000;
}

/** Whether a process of this id runs, whoever's it is. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

async function checkReplaceable(target: string, { force, marker = 'config.json' }: FolderOptions): Promise<void> {
  const found = await lstat(target).catch(() => undefined);
  if (!found) return;
  if (!found.isDirectory()) throw errors.exists(`${target} is a file: name a folder that does not exist yet.`);
  const names = await readdir(target);
  if (names.length === 0) return;
  if (!force) throw errors.exists(`${target} exists already: name another folder, or replace it with --force.`);
  if (!names.includes(marker))
    throw errors.exists(`${target} holds other things than a checkpoint and is not replaced: name another folder.`);
}

/** Removes a folder, of which nobody sees half: it is renamed first. Throws `WRITE_FAILED`. */
export async function removeFolder(directory: string): Promise<void> {
  const aside = temporaryName(directory, 'tmp');
  try {
    await rename(directory, aside);
    await rm(aside, { recursive: true, force: true });
  } catch (error) {
    throw asWriteFailure(error, directory);
  }
}

/** Puts the new folder in place; an old one is moved aside first, and back when the second rename fails. */
async function swapIn(temporary: string, target: string, options: FolderOptions): Promise<void> {
  await checkReplaceable(target, options);
  if (!(await exists(target))) return rename(temporary, target);
  const old = temporaryName(target, 'old');
  await rename(target, old);
  try {
    await rename(temporary, target);
  } catch (error) {
    await rename(old, target);
    throw error;
  }
  await rm(old, { recursive: true, force: true });
}

async function syncTree(folder: string, signal: AbortSignal | undefined): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    throwIfCancelled(signal);
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await syncTree(path, signal);
    else if (entry.isFile()) {
      const file = await open(path, 'r+');
      await file.sync().finally(() => file.close());
    }
  }
  await syncFolder(folder);
}

/** Makes a rename last. Windows has no such call for folders and needs none. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  await handle.sync().finally(() => handle.close());
}

/**
 * A failure of the disk as a sentence that names `path`, also where it named a temporary file on the way there; other
 * failures that are sentences already, and defects of ours, as they are.
 */
function asWriteFailure(error: unknown, path: string): unknown {
  const original = error instanceof L3PruneError && error.code === 'WRITE_FAILED' ? error.cause : error;
  const isSystemError = original instanceof Error && typeof (original as NodeJS.ErrnoException).syscall === 'string';
  return isSystemError ? errors.writeFailed(`${path} cannot be written: ${reason(original)}.`, original) : error;
}
