import { readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errors, L3PruneError } from '../../errors.ts';
import { removeFolder, writeFolderAtomically } from '../../files.ts';
import { withLock } from '../../lock.ts';
import type { ByteProgress } from '../../models/types.ts';
import { createdBy } from '../../version.ts';
import type { TensorFlowReport } from '../tensorflow/check.ts';
import { engineFile, findTensorFlow, tensorflowFolder, tensorflowPackages, type EngineManifest, type TensorFlowVariant } from '../tensorflow/location.ts';
import { probeInChild } from '../probe-child.ts';
import { compileAddon, patchPackage } from './addon.ts';
import { checkMachine, takesWheel } from './machine.ts';
import { installLockedPackages, installPackage } from './npm.ts';
import { headerFolder, packageVersion, wheels } from './recipe.ts';
import { unpackWheel } from './wheel.ts';

export interface InstallOptions {
  /** The data home. */
  readonly home: string;
  readonly variant: TensorFlowVariant;
  /** Installs anew what is there and works. */
  readonly force?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told what is being done; of some steps the length is not known. */
  readonly onProgress?: ((progress: ByteProgress) => void) | undefined;
}

/**
 * Installs TensorFlow as an engine into the data home, where it appears whole, having been seen to compute, or not at
 * all. One that is there and works is left as it is. Errors: MISSING_TOOL, UNSUPPORTED, INSTALL_FAILED, DOWNLOAD_CORRUPT,
 * ENGINE for one that does not compute, BUSY, WRITE_FAILED, CANCELLED.
 */
export async function installTensorFlow({ home, variant, force, signal, onProgress = () => {} }: InstallOptions): Promise<EngineManifest> {
  return locked(home, async () => {
    const present = force ? undefined : await workingManifest(home, variant, signal);
    if (present !== undefined) return present;
    const target = tensorflowFolder(home);
    await checkMachine(variant, target, signal);
    let manifest: EngineManifest | undefined;
    const fill = async (folder: string): Promise<void> => {
      await (takesWheel() ? fillFromWheels : fillFromPackage)(folder, variant, { signal, onProgress });
      onProgress({ what: 'checking TensorFlow', doneBytes: 0, totalBytes: undefined });
      const report = await probeInChild('tensorflow', { directory: folder, packageName: tensorflowPackages[variant] }, signal);
      manifest = manifestOf(variant, report, await sizeOf(folder));
      await writeFile(join(folder, engineFile), `${JSON.stringify(manifest)}\n`);
    };
    await writeFolderAtomically(target, fill, { force: true, marker: engineFile, signal });
    return manifest!;
  });
}

/** Removes the engine from the data home. Errors: NOT_FOUND, BUSY, WRITE_FAILED. */
export async function removeTensorFlow(home: string): Promise<void> {
  await locked(home, async () => {
    const isThere = await stat(join(tensorflowFolder(home), engineFile)).then(() => true, () => false);
    if (!isThere) throw errors.notFound(`There is no TensorFlow engine in ${home}.`);
    await removeFolder(tensorflowFolder(home));
  });
}

function locked<R>(home: string, work: () => Promise<R>): Promise<R> {
  const busy = (pid: number) => errors.busy(`TensorFlow is being installed or removed already, by process ${pid}: wait for it, or end it.`);
  return withLock(`${tensorflowFolder(home)}.lock`, busy, work);
}

/** What is installed, where it is what is asked for and computes. */
async function workingManifest(home: string, variant: TensorFlowVariant, signal: AbortSignal | undefined): Promise<EngineManifest | undefined> {
  try {
    const found = await findTensorFlow(home);
    if (found?.manifest?.variant !== variant || found.manifest.packageVersion !== packageVersion) return undefined;
    await probeInChild('tensorflow', found, signal);
    return found.manifest;
  } catch (error) {
    // One that does not work is replaced.
    if (error instanceof L3PruneError && error.code === 'ENGINE') return undefined;
    throw error;
  }
}

interface StepOptions {
  readonly signal: AbortSignal | undefined;
  readonly onProgress: (progress: ByteProgress) => void;
}

/** The package without its own script, TensorFlow's library out of its wheel, and the addon compiled against that. */
async function fillFromWheels(folder: string, variant: TensorFlowVariant, { signal, onProgress }: StepOptions): Promise<void> {
  const packageName = tensorflowPackages[variant];
  onProgress({ what: `installing ${packageName} with npm`, doneBytes: 0, totalBytes: undefined });
  await installLockedPackages(variant, folder, signal);
  for (const wheel of wheels[variant]) await unpackWheel(wheel, folder, { signal, onProgress });
  onProgress({ what: 'compiling the addon', doneBytes: 0, totalBytes: undefined });
  await compileAddon(folder, packageName, signal);
  await rm(join(folder, headerFolder), { recursive: true });
  await patchPackage(folder, packageName);
}

/** The package with the library that its own script fetches. */
async function fillFromPackage(folder: string, variant: TensorFlowVariant, { signal, onProgress }: StepOptions): Promise<void> {
  const packageName = tensorflowPackages[variant];
  onProgress({ what: `installing ${packageName} with npm, which fetches TensorFlow`, doneBytes: 0, totalBytes: undefined });
  await installPackage(variant, folder, signal);
  await patchPackage(folder, packageName);
}

function manifestOf(variant: TensorFlowVariant, { packageVersion, tensorflowVersion }: TensorFlowReport, bytes: number): EngineManifest {
  return { format: 1, variant, packageVersion, tensorflowVersion, bytes, createdBy };
}

async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const sizes = entries.filter((entry) => entry.isFile()).map(async (entry) => (await stat(join(entry.parentPath, entry.name))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
