import { randomBytes } from 'node:crypto';
import { open, rm, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { errors } from '../errors.ts';
import { reason } from '../files.ts';
import { MAX_LINE_BYTES, type Place } from './lines.ts';
import type { RowSource } from './row-source.ts';

/** Rows up to this many bytes are held in memory and touch no disk; any one row fits. */
const DEFAULT_HELD_BYTES = 4 * MAX_LINE_BYTES;

/**
 * Rows that came out of a compressed file, which can only be read from its start: the newest are held in memory, those
 * before them lie in a temporary file. A process that is killed leaves no file behind, except on Windows.
 */
export class UnpackedRows implements RowSource {
  readonly #folder: string;
  readonly #heldBytes: number;
  #held = Buffer.alloc(0);
  #heldFrom = 0;
  #end = 0;
  #file: { readonly handle: FileHandle; readonly name: string } | undefined;

  /** `folder` takes the temporary file, where one is needed. */
  constructor(folder: string, heldBytes = DEFAULT_HELD_BYTES) {
    this.#folder = folder;
    this.#heldBytes = heldBytes;
  }

  /** Throws WRITE_FAILED. */
  async add(text: string): Promise<Place> {
    const bytes = Buffer.byteLength(text);
    if (this.#end + bytes - this.#heldFrom > this.#heldBytes) await this.#writeHeld();
    const used = this.#end - this.#heldFrom;
    if (used + bytes > this.#held.length) this.#grow(used + bytes);
    this.#held.write(text, used);
    const place = { offset: this.#end, bytes };
    this.#end += bytes;
    return place;
  }

  async read(places: readonly Place[]): Promise<Buffer[]> {
    return Promise.all(
      places.map(async ({ offset, bytes }) => {
        const from = offset - this.#heldFrom;
        if (from >= 0) return this.#held.subarray(from, from + bytes);
        const read = await this.#file?.handle.read(Buffer.allocUnsafe(bytes), 0, bytes, offset);
        return read?.buffer ?? Buffer.alloc(0);
      }),
    );
  }

  /** Removes the temporary file. */
  async close(): Promise<void> {
    await this.#file?.handle.close();
    if (this.#file !== undefined) await rm(this.#file.name, { force: true });
    this.#file = undefined;
  }

  #grow(needed: number): void {
    const larger = Buffer.alloc(Math.max(needed, Math.min(2 * this.#held.length, this.#heldBytes)));
    this.#held.copy(larger);
    this.#held = larger;
  }

  async #writeHeld(): Promise<void> {
    const used = this.#end - this.#heldFrom;
    try {
      this.#file ??= await createTemporary(this.#folder);
      for (let at = 0; at < used; ) {
        const { bytesWritten } = await this.#file.handle.write(this.#held, at, used - at, this.#heldFrom + at);
        at += bytesWritten;
      }
    } catch (cause) {
      throw errors.writeFailed(
        `${this.#folder} cannot hold what is unpacked from the data: ${reason(cause)}. Unpack the files by hand, or free some space.`,
        cause,
      );
    }
    this.#heldFrom = this.#end;
  }
}

async function createTemporary(folder: string): Promise<{ handle: FileHandle; name: string }> {
  const name = path.join(folder, `l3prune-rows-${process.pid}-${randomBytes(4).toString('hex')}`);
  const handle = await open(name, 'wx+', 0o600);
  // Without a name it is gone with the process, however that ends; Windows keeps the name of an open file.
  await rm(name, { force: true }).catch(() => undefined);
  return { handle, name };
}
