import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import type { VsCode } from './install.ts';

const exec = promisify(execFile);

/** Keeps the workbench from showing anything that a test did not ask for. */
const quietSettings = {
  'workbench.startupEditor': 'none',
  'telemetry.telemetryLevel': 'off',
  'extensions.autoUpdate': 'off',
  'extensions.autoCheckUpdates': false,
  'extensions.ignoreRecommendations': true,
  'chat.disableAIFeatures': true,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.tips.enabled': false,
  'git.enabled': false,
  'update.mode': 'none',
  'window.commandCenter': false,
};

export interface ServerOptions {
  /** Emptied, and holds everything that the server writes. */
  readonly state: string;
  readonly vsix: string;
  readonly folder: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly keybindings: readonly unknown[];
}

export interface Server {
  readonly url: string;
  /** Ids of the worker processes of ours that run under this server. */
  workers(): Promise<readonly number[]>;
  /** Kills the server, its extension hosts and whatever else it started, but no worker of ours. */
  killAllButWorkers(): Promise<void>;
  /** Kills everything. */
  kill(): Promise<void>;
}

/** Starts a VS Code server with the extension installed from its package. */
export async function startServer(code: VsCode, options: ServerOptions): Promise<Server> {
  const { state, folder } = options;
  await rm(state, { recursive: true, force: true });
  const user = path.join(state, 'user', 'User');
  for (const made of [user, path.join(state, 'home')]) await mkdir(made, { recursive: true });
  await writeFile(path.join(user, 'settings.json'), JSON.stringify({ ...quietSettings, ...options.settings }));
  await writeFile(path.join(user, 'keybindings.json'), JSON.stringify(options.keybindings));
  await writeFile(path.join(state, 'config.yaml'), 'cert: false\n');
  const folders = ['--config', path.join(state, 'config.yaml'), '--user-data-dir', path.join(state, 'user'), '--extensions-dir', path.join(state, 'ext')];
  const env = serverEnvironment(path.join(state, 'home'));
  await exec(code.node, [code.entry, ...folders, '--install-extension', options.vsix], { env });

  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const flags = ['--auth', 'none', '--disable-telemetry', '--disable-update-check', '--disable-workspace-trust', '--disable-getting-started-override'];
  // A group of its own, by which all of its processes can be told.
  const server = spawn(code.node, [code.entry, ...folders, ...flags, '--ignore-last-opened', '--bind-addr', `127.0.0.1:${port}`, folder], {
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await listening(server);
  const group = server.pid ?? 0;
  const members = async (): Promise<ReadonlyArray<{ pid: number; isWorker: boolean }>> => {
    const { stdout } = await exec('ps', ['-axo', 'pid=,pgid=,stat=,command=']);
    return stdout.split('\n').flatMap((line) => {
      const [, pid, pgid, status, command] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? [];
      if (Number(pgid) !== group || status?.startsWith('Z')) return [];
      return [{ pid: Number(pid), isWorker: command?.includes(path.join('dist', 'worker.mjs')) ?? false }];
    });
  };
  return {
    url: `${url}/?folder=${encodeURIComponent(folder)}`,
    workers: async () => (await members()).filter(({ isWorker }) => isWorker).map(({ pid }) => pid),
    killAllButWorkers: async () => {
      for (const { pid } of (await members()).filter(({ isWorker }) => !isWorker)) process.kill(pid, 'SIGKILL');
    },
    kill: async () => {
      for (const { pid } of await members()) process.kill(pid, 'SIGKILL');
    },
  };
}

function listening(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = '';
    const read = (chunk: Buffer): void => {
      output += chunk.toString();
      if (/HTTP server listening/.test(output)) resolve();
    };
    server.stdout?.on('data', read);
    server.stderr?.on('data', read);
    server.once('exit', () => reject(new Error(`code-server ended:\n${output}`)));
  });
}

/** The server must take neither this test's npm nor an outer VS Code for its own. */
function serverEnvironment(home: string): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(VSCODE_|npm_|VITEST|NODE_OPTIONS|L3PRUNE_)/.test(name));
  return { ...Object.fromEntries(kept), HOME: home, EXTENSIONS_GALLERY: '{}' };
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
