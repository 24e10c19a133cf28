import { createReadStream } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { errors, L3PruneError, throwIfCancelled } from '../errors.ts';

/** A longer line is rejected without being held: no text to embed comes near it. */
export const MAX_LINE_BYTES = 16 * 1024 * 1024;

/** Where something lies in a stream of bytes. */
export interface Place {
  readonly offset: number;
  readonly bytes: number;
}

/**
 * A line of a data file that is not blank: its text, or why it has none. `number` is 1-based, `place` is the line without
 * its newline in the file as it is after unpacking.
 */
export type Line =
  | { readonly number: number; readonly text: string; readonly place: Place; readonly problem?: undefined }
  | { readonly number: number; readonly problem: string };

/** Told now and then how many bytes of a file, as it lies on the disk, have been read. */
export type OnBytes = (read: number) => void;

/** What the name of a data file ends with. */
export const DATA_FILE = /\.jsonl(\.gz)?$/i;
const NEWLINE = 0x0a;

/** What a data file is called without its folder and ending: `allnli` for `data/allnli.jsonl.gz`. */
export const dataName = (file: string): string => path.basename(file).replace(DATA_FILE, '');

/**
 * The data files that a path names: itself, or the `.jsonl` and `.jsonl.gz` files directly inside of it, by name.
 *
 * @throws NOT_FOUND where it does not exist or cannot be read, BAD_DATA for a folder without such a file
 */
export async function dataFiles(location: string): Promise<string[]> {
  const found = await stat(location).catch((cause: unknown) => {
    throw unreadable(location, cause);
  });
  if (found.isFile()) return [location];
  if (!found.isDirectory()) throw errors.badData(`${location} is neither a file nor a folder.`);
  const names = await readdir(location).catch((cause: unknown) => {
    throw unreadable(location, cause);
  });
  const files = names.filter((name) => DATA_FILE.test(name)).sort();
  if (files.length === 0) throw errors.badData(`${location} holds no .jsonl or .jsonl.gz file: name a file, or a folder with one.`);
  return files.map((name) => path.join(location, name));
}

/**
 * Reads a text file, or a gzip of one, line by line, in memory bounded by `MAX_LINE_BYTES` whatever its size. Blank
 * lines are passed over; a byte order mark and carriage returns are dropped.
 *
 * @throws NOT_FOUND, BAD_DATA (a gzip that is truncated, corrupt or followed by something else; UTF-16) or CANCELLED
 */
export async function* readLines(file: string, signal?: AbortSignal, onBytes?: OnBytes): AsyncGenerator<Line> {
  throwIfCancelled(signal);
  const compressed = await isGzip(file);
  let line = 0;
  for await (const found of splitLines(
    chunksOf(file, compressed, { signal, onBytes, linesRead: () => line }),
    signal,
  )) {
    line = found.number;
    yield found;
  }
}

/** Cuts bytes into lines as `readLines` does; where numbers are missing, those lines were blank. */
export async function* splitLines(chunks: AsyncIterable<Buffer>, signal?: AbortSignal): AsyncGenerator<Line> {
  let line = 0;
  let offset = 0;
  let held: Buffer[] = [];
  let heldBytes = 0; // Counts on when the line is too long to be held.
  const take = (end: Buffer): Line | undefined => {
    line++;
    const bytes = heldBytes + end.length;
    const whole = held.length === 0 ? end : Buffer.concat([...held, end]);
    const place = { offset, bytes };
    offset += bytes + 1;
    held = [];
    heldBytes = 0;
    if (bytes > MAX_LINE_BYTES) return { number: line, problem: `is longer than ${MAX_LINE_BYTES / 1024 / 1024} MB` };
    return decode(whole, line, place);
  };
  for await (const chunk of chunks) {
    throwIfCancelled(signal);
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const found = take(chunk.subarray(start, end));
      if (found !== undefined) yield found;
      start = end + 1;
    }
    heldBytes += chunk.length - start;
    if (heldBytes > MAX_LINE_BYTES) held = [];
    else if (start < chunk.length) held.push(chunk.subarray(start));
  }
  if (heldBytes > 0) {
    const found = take(Buffer.alloc(0));
    if (found !== undefined) yield found;
  }
}

/** The file's bytes, decompressed; `linesRead` is asked for the sentence of an error. */
async function* chunksOf(
  file: string,
  compressed: boolean,
  options: { signal: AbortSignal | undefined; onBytes: OnBytes | undefined; linesRead: () => number },
): AsyncGenerator<Buffer> {
  const { signal, onBytes, linesRead } = options;
  const source = createReadStream(file, { highWaterMark: 256 * 1024 });
  const gunzip = compressed ? createGunzip({ chunkSize: 256 * 1024 }) : undefined;
  // The callback is there because pipeline() asks for one: the error arrives at the loop below as well.
  if (gunzip !== undefined) pipeline(source, gunzip, () => undefined);
  const stop = (): void => void source.destroy();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    for await (const chunk of gunzip ?? source) {
      onBytes?.(source.bytesRead);
      yield chunk as Buffer;
    }
    // zlib ends quietly at bytes after the last member that are no member.
    if (gunzip !== undefined && gunzip.bytesWritten < (await stat(file)).size)
      throw errors.badData(`${file} holds bytes after the end of its gzip stream (line ${linesRead()}): make or fetch it again.`);
  } catch (cause) {
    throwIfCancelled(signal);
    if (cause instanceof L3PruneError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'Z_BUF_ERROR')
      throw errors.badData(`${file} is cut short: its gzip stream ends in the middle, after line ${linesRead()}. Make or fetch it again.`, cause);
    if (code?.startsWith('Z_'))
      throw errors.badData(`${file} is corrupt: its gzip stream breaks after line ${linesRead()}. Make or fetch it again.`, cause);
    throw unreadable(file, cause);
  } finally {
    signal?.removeEventListener('abort', stop);
    source.destroy();
    gunzip?.destroy();
  }
}

/**
 * Tells gzip by its first two bytes, because names lie, and refuses what no reader of ours can take.
 *
 * @throws NOT_FOUND, BAD_DATA
 */
export async function isGzip(file: string): Promise<boolean> {
  const handle = await open(file).catch((cause: unknown) => {
    throw unreadable(file, cause);
  });
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    const magic = bytesRead < 2 ? 0 : buffer.readUInt16BE();
    if (magic === 0xfffe || magic === 0xfeff) throw errors.badData(`${file} is UTF-16: save it as UTF-8.`);
    if (magic !== 0x1f8b && /\.gz$/i.test(file)) throw errors.badData(`${file} is not a gzip file, though its name says so.`);
    return magic === 0x1f8b;
  } catch (cause) {
    throw cause instanceof L3PruneError ? cause : unreadable(file, cause);
  } finally {
    await handle.close();
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decode(bytes: Buffer, number: number, place: Place): Line | undefined {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return { number, problem: 'is not valid UTF-8' };
  }
  if (number === 1 && text.startsWith('\uFEFF')) text = text.slice(1);
  return text.trim() === '' ? undefined : { number, text, place };
}

/** The sentence for a path that is not there or cannot be read. */
export function unreadable(location: string, cause: unknown): L3PruneError {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR') return errors.notFound(`No such file or folder: ${location}`, cause);
  if (code === 'EACCES' || code === 'EPERM') return errors.notFound(`${location} cannot be read: permission denied.`, cause);
  return errors.notFound(`${location} cannot be read (${code ?? 'unknown reason'}).`, cause);
}
