import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { L3PruneError } from '../errors.ts';
import { dataHome } from '../home.ts';
import { convertGguf } from './gguf.ts';
import type { ResolveOptions } from './types.ts';

/** Counted up when what `convertGguf` writes changes, so that checkpoints of an older version are not taken for it. */
const CONVERSION = 1;

/**
 * The float32 checkpoint of a GGUF file with this SHA-256, converted once and kept in the data home. Two processes that
 * convert the same file at once end with one folder. Throws what `convertGguf` throws.
 */
export async function convertedGguf(file: string, sha256: string, options: ResolveOptions): Promise<string> {
  const folder = convertedFolder(sha256, options.home);
  if (await isConverted(sha256, options.home)) return folder;
  try {
    await convertGguf(file, folder, { signal: options.signal, onProgress: options.onProgress });
  } catch (error) {
    const otherWasFirst = error instanceof L3PruneError && error.code === 'EXISTS';
    if (!otherWasFirst || !(await isConverted(sha256, options.home))) throw error;
  }
  return folder;
}

/** Where the conversion of a file with this SHA-256 is, or will be. */
export function convertedFolder(sha256: string, home: string | undefined): string {
  return join(dataHome(home), 'models', 'gguf', `${sha256}-${CONVERSION}`);
}

/** Whether it is there; it appears whole or not at all. */
export async function isConverted(sha256: string, home: string | undefined): Promise<boolean> {
  return stat(join(convertedFolder(sha256, home), 'config.json')).then(
    (found) => found.isFile(),
    () => false,
  );
}
