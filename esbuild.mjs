/**
 * Builds `dist/`: the extension (CommonJS, as VS Code asks), the worker with its watchdog thread, the program that tries
 * an engine, the command line and the package API (ES modules for Node), the panel (one script and one style sheet), and
 * the grammars that the miner loads.
 *
 *   node esbuild.mjs [--watch] [--minify]
 *
 * ONNX Runtime alone stays outside of the bundles: it finds its native library beside its own JavaScript.
 */
import { copyFile, mkdir, readdir, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, context } from 'esbuild';
import { grammarFiles } from './scripts/grammars.mjs';

const root = path.dirname(fileURLToPath(import.meta.url));

/** Gives CommonJS dependencies inside an ES module bundle the `require` that they expect for Node's own modules. */
const requireBanner =
  "import { createRequire as l3pruneCreateRequire } from 'node:module'; const require = l3pruneCreateRequire(import.meta.url);";

const common = {
  absWorkingDir: root,
  bundle: true,
  sourcemap: !process.argv.includes('--minify'),
  minify: process.argv.includes('--minify'),
  logLevel: 'warning',
};

const nodeModule = {
  ...common,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  external: ['onnxruntime-node'],
  banner: { js: requireBanner },
};

/** Options by entry. */
const bundles = [
  {
    ...common,
    entryPoints: ['src/extension/main.ts'],
    outfile: 'dist/extension.cjs',
    platform: 'node',
    format: 'cjs',
    target: 'node22',
    external: ['vscode'],
  },
  // In parts, so that a request which computes nothing loads no engine.
  {
    ...nodeModule,
    entryPoints: ['src/worker/main.ts'],
    outdir: 'dist',
    entryNames: 'worker',
    chunkNames: 'worker-[hash]',
    outExtension: { '.js': '.mjs' },
    splitting: true,
    metafile: true,
  },
  { ...nodeModule, entryPoints: ['src/worker/watchdog.ts'], outfile: 'dist/watchdog.mjs' },
  { ...nodeModule, entryPoints: ['src/engine/probe.ts'], outfile: 'dist/engine-probe.mjs' },
  { ...nodeModule, entryPoints: ['src/cli/main.ts'], outfile: 'dist/cli.mjs' },
  { ...nodeModule, entryPoints: ['src/index.ts'], outfile: 'dist/index.mjs' },
  {
    ...common,
    entryPoints: ['webview/main.ts'],
    outfile: 'dist/webview.js',
    platform: 'browser',
    format: 'iife',
    target: 'chrome120',
  },
].filter((options) => existsSync(path.join(root, options.entryPoints[0])));

/** Copies tree-sitter's runtime and the grammars of the languages that are mined to `dist/grammars`. */
async function copyGrammars() {
  const require = createRequire(import.meta.url);
  const folder = path.join(root, 'dist', 'grammars');
  await mkdir(folder, { recursive: true });
  for (const specifier of grammarFiles) {
    await copyFile(require.resolve(specifier), path.join(folder, path.basename(specifier)));
  }
}

/** Removes parts of the worker that an earlier build left: their names change with their content. */
async function removeOldParts(outputs) {
  const current = new Set(outputs.map((file) => path.basename(file)));
  const files = await readdir(path.join(root, 'dist'));
  for (const file of files.filter((name) => name.startsWith('worker-') && !current.has(name))) {
    await rm(path.join(root, 'dist', file), { force: true });
  }
}

await copyGrammars();
if (process.argv.includes('--watch')) {
  for (const options of bundles) await (await context(options)).watch();
} else {
  // One bundle that fails, which esbuild reports, leaves the others built.
  const built = await Promise.allSettled(bundles.map((options) => build(options)));
  if (built.some(({ status }) => status === 'rejected')) process.exitCode = 1;
  else await removeOldParts(built.flatMap(({ value }) => Object.keys(value.metafile?.outputs ?? {})));
}
