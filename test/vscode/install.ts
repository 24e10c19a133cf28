import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const exec = promisify(execFile);

/** The whole VS Code workbench and extension host (VS Code 1.139.1), from npm. */
const codeServer = 'code-server@4.139.1';

/** What code-server wants to run on, with the headers that its addons are compiled against. */
const nodeVersion = '24.21.0';

/** What an end-to-end test needs of the machine. */
export interface VsCode {
  readonly node: string;
  readonly entry: string;
  readonly chromium: string;
}

/** Finds what the end-to-end tests need, installing VS Code on first use; or says in a sentence what is missing. */
export async function findVsCode(): Promise<VsCode | { readonly missing: string }> {
  const chromium = findChromium();
  if (chromium === undefined) {
    return { missing: 'The tests in a real VS Code need Chromium: install it (apt install chromium) or name it in CHROME_PATH.' };
  }
  if (process.platform === 'win32') return { missing: 'The tests in a real VS Code run on Linux and macOS: code-server has no Windows build.' };
  const folder = process.env['L3PRUNE_VSCODE_E2E'] ?? path.join(cacheFolder(), 'l3prune', codeServer.replace('@', '-'));
  if (!existsSync(entryIn(folder))) {
    const tools = ['python3', 'make', 'g++'].filter((tool) => findProgram(tool) === undefined);
    if (tools.length > 0) return { missing: `The tests in a real VS Code compile two small addons with ${tools.join(', ')}: install what is missing.` };
    try {
      await install(folder);
    } catch (error) {
      return { missing: `The tests in a real VS Code could not install ${codeServer} with npm: ${firstLine(error)}.` };
    }
  }
  return { node: nodeIn(folder), entry: entryIn(folder), chromium };
}

/** Installs beside its place and moves there, so that what is there is whole. */
async function install(folder: string): Promise<void> {
  const staging = `${folder}.${process.pid}`;
  await rm(staging, { recursive: true, force: true });
  await mkdir(staging, { recursive: true });
  await writeFile(path.join(staging, 'package.json'), '{ "private": true }');
  const quiet = ['--no-audit', '--no-fund', '--ignore-scripts'];
  await npm(staging, ['install', ...quiet, '--save-exact', `${nodePackage()}@${nodeVersion}`, codeServer]);
  const workbench = path.join(staging, 'node_modules', 'code-server', 'lib', 'vscode');
  const env = { PATH: `${path.dirname(nodeIn(staging))}${path.delimiter}${process.env['PATH'] ?? ''}`, npm_config_nodedir: path.join(staging, 'node_modules', nodePackage()) };
  await npm(workbench, ['install', '--omit=dev', ...quiet], env);
  // The log and the extension host's clean exit need an addon each.
  await npm(workbench, ['rebuild', '--ignore-scripts=false', '@vscode/spdlog', '@vscode/native-watchdog'], env);
  await removeForeignBinaries(path.join(workbench, 'node_modules', '@vscode', 'ripgrep-universal', 'bin'));
  await mkdir(path.dirname(folder), { recursive: true });
  await rm(folder, { recursive: true, force: true });
  await rename(staging, folder);
}

async function removeForeignBinaries(bin: string): Promise<void> {
  if (!existsSync(bin)) return;
  const foreign = (await readdir(bin)).filter((name) => name !== `${process.platform}-${process.arch}`);
  for (const name of foreign) await rm(path.join(bin, name), { recursive: true });
}

async function npm(cwd: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<void> {
  await exec('npm', args, { cwd, env: { ...withoutNpm(process.env), ...env }, maxBuffer: 64e6 });
}

/** This test runs under npm itself, whose settings for this project must not reach another. */
function withoutNpm(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^npm_(?!config_(registry|cache|userconfig|globalconfig)$)/i.test(name)));
}

function nodePackage(): string {
  return `node-${process.platform}-${process.arch}`;
}

function nodeIn(folder: string): string {
  return path.join(folder, 'node_modules', nodePackage(), 'bin', 'node');
}

function entryIn(folder: string): string {
  return path.join(folder, 'node_modules', 'code-server', 'out', 'node', 'entry.js');
}

function cacheFolder(): string {
  return process.env['XDG_CACHE_HOME'] ?? path.join(os.homedir(), '.cache');
}

function findChromium(): string | undefined {
  const named = process.env['CHROME_PATH'];
  if (named !== undefined) return named;
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    const found = findProgram(name);
    if (found !== undefined) return found;
  }
  return undefined;
}

function findProgram(name: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter);
  return folders.map((folder) => path.join(folder, name)).find((file) => existsSync(file));
}

function firstLine(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message: string };
  return (stderr?.split('\n').find((line) => /error/i.test(line)) ?? message.split('\n')[0] ?? '').trim();
}
