/**
 * Packages the extension for one platform: builds it, lets vsce make the VSIX with that platform's native files and no
 * others, and checks that each of them is in it.
 *
 *   node scripts/package.mjs [--target linux-x64] [--out FILE] [--skip-build]
 *
 * With `--skip-build` it packages `dist/` as it is: tests do, for others read it meanwhile.
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import yauzl from 'yauzl';
import { grammarFiles } from './grammars.mjs';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const bin = 'node_modules/onnxruntime-node/bin/napi-v6';

/** What each platform loads. Apple's library is there under two names; the binding asks for this one. */
const windows = ['onnxruntime_binding.node', 'onnxruntime.dll', 'DirectML.dll', 'dxcompiler.dll', 'dxil.dll'];
const linux = ['onnxruntime_binding.node', 'libonnxruntime.so.1'];
const mac = ['onnxruntime_binding.node', 'libonnxruntime.1.dylib'];
const nativeFiles = {
  'win32-x64': windows.map((name) => `${bin}/win32/x64/${name}`),
  'win32-arm64': windows.map((name) => `${bin}/win32/arm64/${name}`),
  'linux-x64': linux.map((name) => `${bin}/linux/x64/${name}`),
  'linux-arm64': linux.map((name) => `${bin}/linux/arm64/${name}`),
  'darwin-arm64': mac.map((name) => `${bin}/darwin/arm64/${name}`),
};

/** Without these the extension does nothing. */
const bundles = ['extension.cjs', 'worker.mjs', 'watchdog.mjs', 'engine-probe.mjs', 'webview.js', 'webview.css'].map((name) => `dist/${name}`);
/** Without these nothing can be mined. */
const grammars = grammarFiles.map((file) => `dist/grammars/${path.posix.basename(file)}`);

const { values } = parseArgs({
  options: { target: { type: 'string' }, out: { type: 'string' }, 'skip-build': { type: 'boolean', default: false } },
});
const { name, version } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'));
const target = values.target ?? `${process.platform}-${process.arch}`;
const out = path.resolve(values.out ?? path.join(root, `${name}-${version}-${target}.vsix`));
const natives = nativeFiles[target];
if (natives === undefined) fail(`ONNX Runtime has no binaries for ${target}; the targets are ${Object.keys(nativeFiles).join(', ')}.`);

if (!values['skip-build']) run('build', nodeForVsce(), ['esbuild.mjs', '--minify']);
await makeVsix();
const packed = new Set(await entriesOf(out));
const missing = [...bundles, ...grammars, ...natives].filter((file) => !packed.has(`extension/${file}`));
if (missing.length > 0) fail(`${out} lacks ${missing.join(', ')}.`);
console.log(`${out}: ${packed.size} files, ${((await stat(out)).size / 1e6).toFixed(1)} MB`);

async function makeVsix() {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'l3prune-package-'));
  try {
    const ignoreFile = path.join(folder, '.vscodeignore');
    const allowed = natives.map((file) => `!${file}\n`).join('');
    await writeFile(ignoreFile, (await readFile(path.join(root, '.vscodeignore'), 'utf8')) + allowed);
    const vsce = path.join(root, 'node_modules', '@vscode', 'vsce', 'vsce');
    const options = ['--target', target, '--out', out, '--ignoreFile', ignoreFile, '--allow-missing-repository', '--no-rewrite-relative-links'];
    run('vsce', nodeForVsce(), [vsce, 'package', ...options]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The names of the files in a VSIX, which is a zip file. */
async function entriesOf(file) {
  const names = [];
  for await (const entry of (await yauzl.openPromise(file)).eachEntry()) names.push(entry.fileName);
  return names;
}

/** vsce asks for Node 22; where this one is older, the one among the dependencies runs it. */
function nodeForVsce() {
  if (Number.parseInt(process.versions.node, 10) >= 22) return process.execPath;
  return path.join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
}

function run(what, command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) fail(`Packaging stopped: ${what} failed${error ? `: ${error.message}` : ''}.`);
}

function fail(sentence) {
  console.error(sentence);
  process.exit(1);
}
