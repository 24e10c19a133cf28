import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errors } from '../../errors.ts';
import { npmReason } from '../../npm.ts';
import { runToEnd } from '../../process.ts';
import { tensorflowPackages, type TensorFlowVariant } from '../tensorflow/location.ts';
import { gpuPackageIntegrity, headersPackage, packageVersion } from './recipe.ts';
import lock from './tensorflow-lock.json' with { type: 'json' };

const quiet = ['--no-audit', '--no-fund', '--no-update-notifier'] as const;

/**
 * Installs the package and what it needs into `folder`, each at the version and with the checksum of our lock file and
 * none with a script of its own, by the user's own npm and its settings. Errors: INSTALL_FAILED, CANCELLED.
 */
export async function installLockedPackages(variant: TensorFlowVariant, folder: string, signal: AbortSignal | undefined): Promise<void> {
  const dependencies = { [tensorflowPackages[variant]]: packageVersion, [headersPackage.name]: headersPackage.version };
  const root = { name: lock.name, private: true, dependencies };
  await writeFile(join(folder, 'package.json'), JSON.stringify(root));
  await writeFile(join(folder, 'package-lock.json'), JSON.stringify({ ...lock, packages: { '': root, ...packagesOf(variant) } }));
  await npm(['ci', '--ignore-scripts', ...quiet], folder, signal);
}

/** The lock file's packages. Both variants are the same JavaScript and need the same. */
function packagesOf(variant: TensorFlowVariant): Record<string, unknown> {
  const place = (of: TensorFlowVariant) => `node_modules/${tensorflowPackages[of]}` as const;
  const { [place('cpu') as 'node_modules/@tensorflow/tfjs-node']: main, ...others } = lock.packages;
  return { ...others, [place(variant)]: variant === 'gpu' ? { ...main, integrity: gpuPackageIntegrity } : main };
}

/** Installs the package as npm does, with the script by which it fetches its library. Errors: INSTALL_FAILED, CANCELLED. */
export async function installPackage(variant: TensorFlowVariant, folder: string, signal: AbortSignal | undefined): Promise<void> {
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: lock.name, private: true }));
  await npm(['install', `${tensorflowPackages[variant]}@${packageVersion}`, ...quiet], folder, signal);
}

async function npm(args: readonly string[], folder: string, signal: AbortSignal | undefined): Promise<void> {
  const { code, output } = await runToEnd(['npm', ...args], { cwd: folder, signal });
  if (code !== 0) throw errors.installFailed(`npm could not install TensorFlow.js: ${npmReason(output)}.`);
}
