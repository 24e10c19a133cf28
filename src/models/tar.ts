import { createReadStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { errors, L3PruneError, throwIfCancelled } from '../errors.ts';

const BLOCK = 512;
/** What is held of one file or of one extended header. */
const MAX_HELD_BYTES = 16 * 1024 * 1024;

/**
 * Writes those plain files of a gzipped tar that are wanted below `folder`, under their names in it. Links, devices and
 * names that would lead out of the folder are passed over, whatever is wanted.
 * Source of the format: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Header"; long names as GNU tar has them.
 *
 * @param isWanted asked once a file, by its name and its bytes; one of more than 16 MB is never wanted
 * @throws DOWNLOAD_CORRUPT, CANCELLED, or the system's own error
 */
export async function extractTarball(
  archive: string,
  isWanted: (name: string, bytes: number) => boolean,
  folder: string,
  signal?: AbortSignal,
): Promise<void> {
  const input = pipeline(createReadStream(archive), createGunzip(), () => undefined);
  const bytes = new ByteReader(input);
  try {
    for (let longName: string | undefined; ; ) {
      throwIfCancelled(signal);
      const header = await bytes.take(BLOCK);
      if (header === undefined || header.every((byte) => byte === 0)) return;
      const { name, size, type } = parseHeader(header);
      if (type === 'x' || type === 'L') {
        const text = (await bytes.held(size)).toString('utf8');
        longName = type === 'L' ? text.replace(/\0[\s\S]*$/, '') : (paxPath(text) ?? longName);
      } else {
        const file = longName ?? name;
        longName = undefined;
        const isPlain = (type === '0' || type === '\0') && size <= MAX_HELD_BYTES && staysInside(file);
        if (isPlain && isWanted(file, size)) {
          const target = join(folder, file);
          await mkdir(dirname(target), { recursive: true });
          await writeFile(target, await bytes.held(size));
        } else {
          await bytes.skip(size);
        }
      }
      await bytes.skip((BLOCK - (size % BLOCK)) % BLOCK);
    }
  } catch (error) {
    throwIfCancelled(signal);
    if (error instanceof L3PruneError || (error instanceof Error && 'syscall' in error)) throw error;
    throw errors.downloadCorrupt(`${archive} is not what was expected: ${(error as Error).message}. Run it again to download it anew.`, error);
  } finally {
    input.destroy();
  }
}

interface Header {
  readonly name: string;
  readonly size: number;
  readonly type: string;
}

function parseHeader(header: Buffer): Header {
  const text = (start: number, end: number): string => header.toString('utf8', start, end).replace(/\0[\s\S]*$/, '');
  const sum = header.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 0x20 : byte), 0);
  if (Number.parseInt(text(148, 156).trim(), 8) !== sum) throw new Error('it is no tar archive');
  const size = Number.parseInt(text(124, 136).trim() || '0', 8);
  if (!Number.isSafeInteger(size) || size < 0) throw new Error('a file in it has no size');
  const prefix = text(257, 262) === 'ustar' ? text(345, 500) : '';
  return { name: prefix === '' ? text(0, 100) : `${prefix}/${text(0, 100)}`, size, type: header.toString('latin1', 156, 157) };
}

/** The `path` record of a pax header: each record is "LENGTH KEY=VALUE\n". */
function paxPath(text: string): string | undefined {
  return /^\d+ path=(.*)$/m.exec(text)?.[1];
}

function staysInside(name: string): boolean {
  return name !== '' && !/^[/\\]|^[a-zA-Z]:|[\0\\]/.test(name) && name.split('/').every((part) => part !== '..');
}

/** Reads a stream of bytes in pieces of any length. */
class ByteReader {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(input: AsyncIterable<Buffer>) {
    this.#chunks = input[Symbol.asyncIterator]();
  }

  /** So many bytes; undefined at the end of the stream. Throws where it ends amid of them. */
  async take(count: number): Promise<Buffer | undefined> {
    const parts: Buffer[] = [];
    let missing = count;
    while (missing > 0) {
      const part = await this.#next(missing);
      if (part === undefined && missing === count) return undefined;
      if (part === undefined) throw new Error('it is cut off');
      parts.push(part);
      missing -= part.length;
    }
    return parts.length === 1 ? parts[0] : Buffer.concat(parts);
  }

  async held(count: number): Promise<Buffer> {
    if (count > MAX_HELD_BYTES) throw new Error('a name in it has no end');
    return (count === 0 ? undefined : await this.take(count)) ?? Buffer.alloc(0);
  }

  async skip(count: number): Promise<void> {
    for (let missing = count; missing > 0; ) {
      const part = await this.#next(missing);
      if (part === undefined) throw new Error('it is cut off');
      missing -= part.length;
    }
  }

  /** At most so many bytes, at least one; undefined at the end. */
  async #next(most: number): Promise<Buffer | undefined> {
    while (this.#rest.length === 0) {
      const { value, done } = await this.#chunks.next();
      if (done) return undefined;
      this.#rest = value;
    }
    const part = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(part.length);
    return part;
  }
}
