import { open, stat } from 'node:fs/promises';
import { errors } from '../errors.ts';
import { unreadable, type Place } from './lines.ts';

/** Rows that can be read in any order. */
export interface RowSource {
  /** The bytes at each of these places, in their order. */
  read(places: readonly Place[]): Promise<Buffer[]>;
}

/**
 * A file that is not compressed, read where it lies. It is opened for a read alone, so that a folder may have any number
 * of files, and has to be the file that it was at first.
 */
export class PlainRows implements RowSource {
  readonly #file: string;
  readonly #version: string;

  private constructor(file: string, version: string) {
    this.#file = file;
    this.#version = version;
  }

  /** Throws NOT_FOUND. */
  static async open(file: string): Promise<PlainRows> {
    const found = await stat(file).catch((cause: unknown) => {
      throw unreadable(file, cause);
    });
    return new PlainRows(file, versionOf(found));
  }

  /** Throws NOT_FOUND, BAD_DATA when the file is another than it was. */
  async read(places: readonly Place[]): Promise<Buffer[]> {
    const handle = await open(this.#file).catch((cause: unknown) => {
      throw unreadable(this.#file, cause);
    });
    try {
      if (versionOf(await handle.stat()) !== this.#version) throw changed(this.#file);
      return await Promise.all(
        places.map(async ({ offset, bytes }) => (await handle.read(Buffer.allocUnsafe(bytes), 0, bytes, offset)).buffer),
      );
    } finally {
      await handle.close();
    }
  }
}

const versionOf = ({ size, mtimeMs }: { size: number; mtimeMs: number }): string => `${size} bytes of ${mtimeMs}`;

/** The error where a row is not any more what it was when its file was opened. */
export const changed = (file: string) =>
  errors.badData(`${file} was changed while it was in use: start again with the data as it is now.`);
