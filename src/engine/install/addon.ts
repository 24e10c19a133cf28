import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { errors } from '../../errors.ts';
import { runToEnd } from '../../process.ts';
import { headerFolder, headersPackage, libraries, libraryFolder } from './recipe.ts';

/** The newest version of Node-API that the package asks for; every Node we run on has it. */
const napiVersion = 8;

/**
 * Compiles the package's addon for the library in `folder`, and puts it where the package looks for it. The addon
 * remembers where the library lies relative to itself, so that the folder can be moved. Errors: INSTALL_FAILED, CANCELLED.
 */
export async function compileAddon(folder: string, packageName: string, signal: AbortSignal | undefined): Promise<void> {
  const packageFolder = join(folder, 'node_modules', packageName);
  const place = join(packageFolder, 'lib', `napi-v${napiVersion}`);
  await mkdir(place, { recursive: true });
  // A linker that read the library itself would take 0.9 GB and 15 s for names that a library need not have yet.
  const standIns = await mkdtemp(join(folder, '.stand-ins-'));
  for (const name of libraries) await compile(['-x', 'c++', '-', `-Wl,-soname,${name}`, '-o', join(standIns, name)], signal);
  const headers = [join(folder, 'node_modules', headersPackage.name, 'include'), join(folder, headerFolder), packageFolder, dirname(packageFolder)];
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => join(packageFolder, 'binding', name));
  const linked = ['-Wl,--no-as-needed', `-L${standIns}`, ...libraries.map((name) => `-l:${name}`)];
  const runPath = `-Wl,-rpath,$ORIGIN/${relative(place, join(folder, libraryFolder))}`;
  const out = ['-o', join(place, 'tfjs_binding.node')];
  await compile([`-DNAPI_VERSION=${napiVersion}`, ...headers.map((path) => `-I${path}`), ...sources, ...linked, runPath, ...out], signal);
  await rm(standIns, { recursive: true });
}

/** Makes a shared library. Errors: INSTALL_FAILED, CANCELLED. */
async function compile(args: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  const { code, output } = await runToEnd(['g++', '-std=c++17', '-O2', '-fPIC', '-shared', ...args], { signal });
  if (code === 0) return;
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  const complaint = lines.find((line) => /\berror\b/.test(line)) ?? lines[0] ?? 'it gave no reason';
  throw errors.installFailed(`g++ could not compile TensorFlow.js's addon: ${complaint.slice(0, 300)}.`);
}

/** Functions of `node:util` that Node 23 took away, and what says the same; by the files that call them. */
const replaced = { isNullOrUndefined: [/\(0, util_1\.isNullOrUndefined\)\((\w+)\)/g, '($1 == null)'], isArray: [/\(0, util_1\.isArray\)\(/g, 'Array.isArray('] } as const;
const calls = { 'dist/nodejs_kernel_backend.js': ['isNullOrUndefined', 'isArray'], 'dist/kernels/TopK.js': ['isNullOrUndefined'] } as const;

/** Makes the package run on Node 23 and newer. Errors: INSTALL_FAILED where its text is not the one that is known. */
export async function patchPackage(folder: string, packageName: string): Promise<void> {
  for (const [name, functions] of Object.entries(calls)) {
    const file = join(folder, 'node_modules', packageName, name);
    let text = await readFile(file, 'utf8');
    for (const called of functions) {
      const [pattern, replacement] = replaced[called];
      if (text.search(pattern) < 0) throw errors.installFailed(`${packageName} is not the one that is known: ${name} does not call ${called}.`);
      text = text.replace(pattern, replacement);
    }
    await writeFile(file, text);
  }
}
