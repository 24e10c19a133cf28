import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { errors } from '../../errors.ts';
import { reason } from '../../files.ts';

/** The packages that bring TensorFlow.js with a native library: the same JavaScript over another library. */
export const tensorflowPackages = { cpu: '@tensorflow/tfjs-node', gpu: '@tensorflow/tfjs-node-gpu' } as const;
export type TensorFlowVariant = keyof typeof tensorflowPackages;
export const tensorflowVariants = Object.keys(tensorflowPackages) as readonly TensorFlowVariant[];

/** The file that makes a folder an engine of ours: it is written last, when the engine has been seen to work. */
export const engineFile = 'engine.json';

const engineManifest = z.object({
  format: z.literal(1),
  variant: z.enum(tensorflowVariants as [TensorFlowVariant]),
  /** Of the npm package. */
  packageVersion: z.string(),
  /** As the library says. */
  tensorflowVersion: z.string(),
  /** Files of the engine, together. */
  bytes: z.number(),
  createdBy: z.string(),
});

/** What an installation says of itself. */
export type EngineManifest = z.infer<typeof engineManifest>;

/** Where TensorFlow.js lies. */
export interface FoundTensorFlow {
  /** Its `node_modules` is here. */
  readonly directory: string;
  readonly packageName: string;
  /** Undefined for a package that somebody else installed beside this program. */
  readonly manifest: EngineManifest | undefined;
}

/** The folder of the engine in the data home. */
export function tensorflowFolder(home: string): string {
  return join(home, 'engines', 'tensorflow');
}

/** The engine in the data home, else the package beside this program, else undefined. Errors: ENGINE for one that is damaged. */
export async function findTensorFlow(home: string): Promise<FoundTensorFlow | undefined> {
  const directory = tensorflowFolder(home);
  const manifest = await readManifest(directory);
  if (manifest !== undefined) return { directory, packageName: tensorflowPackages[manifest.variant], manifest };
  return findPeer();
}

async function readManifest(directory: string): Promise<EngineManifest | undefined> {
  const path = join(directory, engineFile);
  try {
    return engineManifest.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    const clause = error instanceof Error && 'code' in error ? reason(error) : 'it is not what an installation writes';
    throw errors.engine(`${path} cannot be read (${clause}): run \`l3prune engine install tensorflow --force\`.`, error);
  }
}

/** An optional peer of this package, by Node's own rules. */
function findPeer(): FoundTensorFlow | undefined {
  const { resolve } = createRequire(import.meta.url);
  for (const packageName of [tensorflowPackages.gpu, tensorflowPackages.cpu]) {
    try {
      return { directory: dirname(resolve(`${packageName}/package.json`)), packageName, manifest: undefined };
    } catch {
      // Not there.
    }
  }
  return undefined;
}
