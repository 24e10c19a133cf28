/**
 * The commands of package.json, each of which does all of its own set-up in a fresh clone:
 *
 *   node scripts/run.mjs demo [arguments of `l3prune demo`]
 *   node scripts/run.mjs test | test:long [arguments of vitest]
 *   node scripts/run.mjs bench [arguments of the benches]
 *
 * Installs the dependencies where they are missing or not those of package-lock.json, builds, and runs with the npm
 * package `node`, which is newer than the Node that many machines have. Needs Node 20 and nothing else.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const [command, ...rest] = process.argv.slice(2);

/** Each takes the Node to run with and returns the exit code. */
const commands = {
  demo: (node) => buildAndRun(node, ['dist/cli.mjs', 'demo', ...rest]),
  bench: (node) => buildAndRun(node, ['test/bench/main.ts', ...rest]),
  test: (node) => test(node, {}),
  'test:long': (node) => test(node, { L3PRUNE_LONG: '1' }),
};

if (!command || !Object.hasOwn(commands, command)) {
  console.error(`Usage: node scripts/run.mjs ${Object.keys(commands).join(' | ')} [arguments]`);
  process.exitCode = 2;
} else {
  // Ctrl-C reaches the child as well; its exit code is waited for.
  process.on('SIGINT', () => {});
  process.exitCode = (await install()) ? await commands[command](await findNode()) : failedInstall();
}

function failedInstall() {
  const isTest = command.startsWith('test');
  console.error('The dependencies could not be installed: npm says why above. Check the network and your npm settings.');
  if (isTest) console.log('0 passed, 1 failed, 0 skipped');
  return 1;
}

async function buildAndRun(node, args) {
  const built = await run(node, ['esbuild.mjs']);
  return built === 0 ? run(node, args) : built;
}

/** Makes node_modules what package-lock.json says. Returns whether it is. */
async function install() {
  if (await isInstalled()) return true;
  console.log('Installing the dependencies with npm ci …');
  // ONNX Runtime's own install script would fetch CUDA libraries; what is in its package is all that is used.
  const environment = { ONNXRUNTIME_NODE_INSTALL: 'skip' };
  const npm = process.env.npm_execpath;
  const code = npm
    ? await run(process.execPath, [npm, 'ci', '--no-audit', '--no-fund'], environment)
    : await run('npm', ['ci', '--no-audit', '--no-fund'], environment, { shell: process.platform === 'win32' });
  return code === 0;
}

/** npm notes what it has installed, last of all; every package that is not optional has to be the lock file's. */
async function isInstalled() {
  try {
    const [wanted, found] = await Promise.all(
      ['package-lock.json', 'node_modules/.package-lock.json'].map(
        async (name) => JSON.parse(await readFile(path.join(root, name), 'utf8')).packages,
      ),
    );
    return Object.entries(wanted).every(
      ([name, { version, optional }]) => name === '' || optional || found[name]?.version === version,
    );
  } catch {
    return false;
  }
}

/** The npm package `node`, or this Node where that one cannot be run. */
async function findNode() {
  const binary = path.join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  const works = existsSync(binary) && (await run(binary, ['--version'], {}, { stdio: 'ignore' })) === 0;
  if (works) return binary;
  console.warn(
    `The npm package "node" cannot be run here (was its install script refused?); Node ${process.versions.node} is used instead, and what needs a newer one may fail.`,
  );
  return process.execPath;
}

/** Lint, type check, build and every test; ends with one line that counts them. */
async function test(node, environment) {
  const scratch = await mkdtemp(path.join(tmpdir(), 'l3prune-test-'));
  const report = path.join(scratch, 'report.json');
  const skips = path.join(scratch, 'skips.txt');
  const total = { passed: 0, failed: 0, skipped: 0 };
  try {
    const parts = [
      ['Lint', [await programOf('oxlint'), '--deny-warnings']],
      ['Type check', [await programOf('typescript', 'tsc'), '--noEmit']],
      ['Build', ['esbuild.mjs']],
    ];
    for (const [name, args] of parts) {
      const isRight = (await run(node, args)) === 0;
      console.log(`${name}: ${isRight ? 'passed' : 'FAILED'}`);
      total[isRight ? 'passed' : 'failed']++;
    }
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const code = await run(node, [await programOf('vitest'), 'run', ...reporters, ...rest], {
      ...environment,
      L3PRUNE_SKIPS: skips,
    });
    addTests(total, await readJson(report), code);
    await printSkips(skips);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  return total.failed > 0 ? 1 : 0;
}

/** Adds vitest's counts. A file that cannot be loaded, a run without a report and one without tests are failures, too. */
function addTests(total, report, code) {
  const unloaded = (report?.testResults ?? []).filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((result) => result.status === 'failed'),
  );
  const passed = report?.numPassedTests ?? 0;
  const failed = (report?.numFailedTests ?? 0) + unloaded.length;
  total.passed += passed;
  total.failed += failed;
  total.skipped += (report?.numPendingTests ?? 0) + (report?.numTodoTests ?? 0);
  if (passed + failed === 0) console.error('No test was run.');
  if (failed === 0 && (code !== 0 || passed === 0)) total.failed++;
}

/** Each sentence once: many tests may lack the same thing. See test/skips.ts. */
async function printSkips(file) {
  const text = await readFile(file, 'utf8').catch(() => '');
  for (const sentence of new Set(text.split('\n').filter(Boolean))) console.log(`Skipped: ${sentence}`);
}

/** The script behind a program that a package of node_modules brings. */
async function programOf(name, program = name) {
  const folder = path.join(root, 'node_modules', name);
  const { bin } = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8'));
  return path.join(folder, typeof bin === 'string' ? bin : bin[program]);
}

async function readJson(file) {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Runs a program in the repository's root to its end. Returns its exit code, 1 where it could not be started. */
function run(program, args, environment = {}, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, ...environment },
      ...options,
    });
    child.once('error', (error) => {
      if (options.stdio !== 'ignore') console.error(`${program} could not be started: ${error.message}`);
      resolve(1);
    });
    child.once('close', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 1)));
  });
}
