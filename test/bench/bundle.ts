import { basename, join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '../..');
/** From here a program finds the packages that stay outside of it. */
const folder = join(root, 'node_modules/.cache/l3prune-bench');
/** As in esbuild.mjs. */
const banner = "import { createRequire as l3pruneCreateRequire } from 'node:module'; const require = l3pruneCreateRequire(import.meta.url);";

/**
 * A program of this repository as one file, as the build makes it: a process of it starts as one of a user's does, and
 * takes no memory for the sources. Returns the file.
 *
 * @param entry from the repository's root
 */
export async function bundled(entry: string): Promise<string> {
  const outfile = join(folder, `${basename(entry, '.ts')}.mjs`);
  await build({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    external: ['onnxruntime-node'],
    banner: { js: banner },
    logLevel: 'warning',
  });
  return outfile;
}
