import { createHash } from 'node:crypto';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { openPromise, type Entry, type ZipFile } from 'yauzl';
import { errors, L3PruneError, throwIfCancelled } from '../errors.ts';

/** A file inside a zip that is known to the byte. */
export interface KnownEntry {
  readonly entry: string;
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** More entries than any archive has that holds a known file. */
const MAX_ENTRIES = 10_000;

/**
 * Writes one known file of a zip to `target`, which must not exist. Nothing else of the archive is looked at, no name
 * in it becomes a path, and no byte beyond the known size is written. Throws `DOWNLOAD_CORRUPT` where the archive, the
 * size or the SHA-256 is not right, or `CANCELLED`; `target` is then not to be used.
 */
export async function extractKnown(archive: string, known: KnownEntry, target: string, signal?: AbortSignal): Promise<void> {
  const zip = await openArchive(archive);
  const hash = createHash('sha256');
  const hashing = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(undefined, chunk);
    },
  });
  try {
    const entry = await findEntry(zip, archive, known);
    const content = await zip.openReadStreamPromise(entry);
    // yauzl compares what comes out with the size that the entry states, which has been compared with ours.
    await pipeline(content, hashing, createWriteStream(target, { flags: 'wx' }), { signal });
  } catch (error) {
    throwIfCancelled(signal);
    if (error instanceof Error && 'syscall' in error) throw error;
    throw corrupt(archive, (error as Error).message, error);
  } finally {
    zip.close();
  }
  if (hash.digest('hex') !== known.sha256) throw corrupt(archive, `${known.entry} does not have the SHA-256 ${known.sha256}`);
}

/**
 * Writes those files of a zip that are wanted below `folder`, under their names in it, replacing what is there. yauzl
 * refuses names that would lead out of it. Meant for an archive whose SHA-256 is known to be right. `onProgress` is told
 * of bytes written, of all that will be. Throws `DOWNLOAD_CORRUPT`, `CANCELLED`, or the system's own error.
 */
export async function extractMatching(
  archive: string,
  isWanted: (name: string, bytes: number) => boolean,
  folder: string,
  options: { readonly signal?: AbortSignal | undefined; readonly onProgress?: (doneBytes: number, totalBytes: number) => void } = {},
): Promise<void> {
  const zip = await openArchive(archive);
  try {
    const entries: Entry[] = [];
    for await (const entry of zip.eachEntry()) if (!entry.fileName.endsWith('/') && isWanted(entry.fileName, entry.uncompressedSize)) entries.push(entry);
    const totalBytes = entries.reduce((sum, { uncompressedSize }) => sum + uncompressedSize, 0);
    let doneBytes = 0;
    const counting = () =>
      new Transform({
        transform(chunk: Buffer, _encoding, done) {
          doneBytes += chunk.length;
          options.onProgress?.(doneBytes, totalBytes);
          done(undefined, chunk);
        },
      });
    for (const entry of entries) {
      throwIfCancelled(options.signal);
      const target = join(folder, entry.fileName);
      await mkdir(dirname(target), { recursive: true });
      const content = await zip.openReadStreamPromise(entry);
      await pipeline(content, counting(), createWriteStream(target, { mode: isProgram(entry) ? 0o755 : 0o644 }), { signal: options.signal });
    }
  } catch (error) {
    throwIfCancelled(options.signal);
    if (error instanceof L3PruneError || (error instanceof Error && 'syscall' in error)) throw error;
    throw corrupt(archive, (error as Error).message, error);
  } finally {
    zip.close();
  }
}

/** The upper half of an entry's attributes is what Unix calls its mode. */
function isProgram({ externalFileAttributes }: Entry): boolean {
  return ((externalFileAttributes >>> 16) & 0o100) !== 0;
}

async function openArchive(archive: string): Promise<ZipFile> {
  return openPromise(archive, { lazyEntries: true, autoClose: false }).catch((error: unknown) => {
    throw corrupt(archive, `it is no zip archive (${(error as Error).message})`, error);
  });
}

async function findEntry(zip: ZipFile, archive: string, known: KnownEntry): Promise<Entry> {
  let seen = 0;
  for await (const entry of zip.eachEntry()) {
    if (++seen > MAX_ENTRIES) break;
    if (entry.fileName !== known.entry) continue;
    if (entry.uncompressedSize !== known.bytes)
      throw new Error(`${known.entry} has ${entry.uncompressedSize} bytes and not ${known.bytes}`);
    return entry;
  }
  throw new Error(`${archive} does not hold ${known.entry}`);
}

function corrupt(archive: string, clause: string, cause?: unknown): Error {
  return errors.downloadCorrupt(`${archive} is not what was expected: ${clause}. Run it again to download it anew.`, cause);
}
