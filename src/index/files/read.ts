import { createHash } from 'node:crypto';
import { constants, type FileHandle, open, realpath } from 'node:fs/promises';
import path from 'node:path';
import { throwIfCancelled } from '../../errors.ts';
import { contentReason } from './content.ts';
import { decode } from './decode.ts';
import { reasonOf, reasons } from './reasons.ts';
import { DEFAULT_MOST_BYTES } from './rules.ts';
import type { ReadFile, Reason, WorkspaceFile } from './types.ts';

const HASH_BYTES = 16;

/** Windows knows neither of the two: there, `isInside` alone tells of a link. A pipe without a writer is not waited for. */
const FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

export interface ReadOptions {
  /** As in the rules of the walk, in bytes: a file that has grown since is left out. */
  readonly mostBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A file's text, or why it is left out by what it holds. No file outside of the workspace is read, whatever has been put
 * in the place of one or of a folder above it since the walk.
 *
 * @throws CANCELLED
 */
export async function readWorkspaceFile(file: WorkspaceFile, { mostBytes = DEFAULT_MOST_BYTES, signal }: ReadOptions = {}): Promise<ReadFile | { readonly reason: Reason }> {
  throwIfCancelled(signal);
  const read = await readDecoded(file, mostBytes);
  throwIfCancelled(signal);
  if ('reason' in read) return read;
  const { bytes, ...decoded } = read;
  const reason = contentReason(decoded.text, file.language);
  if (reason !== undefined) return { reason };
  return { ...decoded, hash: createHash('sha256').update(bytes).digest().subarray(0, HASH_BYTES) };
}

/** The text of a file that has been looked at before and has not changed since, or why it cannot be read. Links are no way out either. */
export async function readAgain(file: WorkspaceFile): Promise<string | undefined> {
  const read = await readDecoded(file, file.size);
  return 'reason' in read ? undefined : read.text;
}

async function readDecoded(file: WorkspaceFile, mostBytes: number): Promise<(Omit<ReadFile, 'hash'> & { readonly bytes: Uint8Array }) | { readonly reason: Reason }> {
  const bytes = await bytesOf(file, mostBytes).catch((error: unknown) => reasonOf(error));
  if (typeof bytes === 'string') return { reason: bytes };
  const decoded = isOfBinaryFormat(bytes) ? undefined : decode(bytes);
  return decoded === undefined ? { reason: reasons.binary } : { ...decoded, bytes };
}

async function bytesOf(file: WorkspaceFile, mostBytes: number): Promise<Uint8Array | Reason> {
  await using handle = await open(file.absolute, FLAGS);
  const found = await handle.stat();
  if (!found.isFile()) return reasons.notRegular;
  if (!(await isInside(file))) return reasons.link;
  if (found.size > mostBytes) return reasons.tooLarge;
  const bytes = await readUpTo(handle, found.size, mostBytes + 1);
  if (bytes.length > mostBytes) return reasons.tooLarge;
  return bytes.length === 0 ? reasons.empty : bytes;
}

/** Whether no link is between the workspace's root and the file. */
async function isInside({ path: relative, absolute }: WorkspaceFile): Promise<boolean> {
  const root = absolute.slice(0, -relative.length);
  const [real, realRoot] = await Promise.all([realpath(absolute), realpath(root)]);
  return real === path.join(realRoot, relative);
}

/** The whole file, or its first `most` bytes where it grows while it is read. */
async function readUpTo(handle: FileHandle, size: number, most: number): Promise<Uint8Array> {
  // One byte more than expected: the end is seen without a second buffer.
  let buffer = Buffer.allocUnsafe(Math.min(size + 1, most));
  let length = 0;
  for (;;) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
    length += bytesRead;
    if (bytesRead === 0 || length === most) return buffer.subarray(0, length);
    if (length === buffer.length) buffer = Buffer.concat([buffer], Math.min(2 * length, most));
  }
}

/** Formats that may begin with text enough to pass for one. */
function isOfBinaryFormat(bytes: Uint8Array): boolean {
  return ['%PDF-', '%!PS-Adobe'].some((mark) => Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, mark.length)).toString('latin1') === mark);
}
