import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
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
  /** Of the machine: VS Code takes machine-scoped settings of a server from nowhere else. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly keybindings: readonly unknown[];
  /** A folder whose programs are found before the machine's own. */
  readonly programs: string;
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
  const machine = path.join(state, 'user', 'Machine');
  for (const made of [user, machine, path.join(state, 'home')]) await mkdir(made, { recursive: true });
  await writeFile(path.join(user, 'settings.json'), JSON.stringify(quietSettings));
  await writeFile(path.join(machine, 'settings.json'), JSON.stringify(options.settings));
  // Extensions get the PATH of a login shell, not the server's.
  await writeFile(path.join(state, 'home', '.profile'), `export PATH="${options.programs}:$PATH"\n`);
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
  const members = async (): Promise<readonly Process[]> => (await processes()).filter((one) => one.group === group);
  return {
    url: `${url}/?folder=${encodeURIComponent(folder)}`,
    workers: async () => (await members()).filter(isWorker).map(({ pid }) => pid),
    killAllButWorkers: async () => {
      for (const { pid } of (await members()).filter((one) => !isWorker(one))) end(pid);
    },
    kill: async () => {
      for (const { pid } of await members()) end(pid);
    },
  };
}

/** Kills a process that may have ended with its parent meanwhile. */
function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

interface Process {
  readonly pid: number;
  readonly group: number;
  readonly command: string;
}

function isWorker({ command }: Process): boolean {
  return command.includes(path.join('dist', 'worker.mjs'));
}

/** The processes of this machine that run; a zombie does not. */
async function processes(): Promise<readonly Process[]> {
  if (process.platform !== 'linux') {
    const { stdout } = await exec('ps', ['-axo', 'pid=,pgid=,stat=,command=']);
    return stdout.split('\n').flatMap((line) => {
      const [, pid, group, status, command = ''] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? [];
      return status === undefined || status.startsWith('Z') ? [] : [{ pid: Number(pid), group: Number(group), command }];
    });
  }
  const running: Process[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    // After the name in brackets: state, parent, group.
    const [status, , group] = (await readProc(pid, 'stat')).replace(/^.*\) /s, '').split(' ');
    if (status !== undefined && status !== '' && status !== 'Z') {
      running.push({ pid: Number(pid), group: Number(group), command: (await readProc(pid, 'cmdline')).replaceAll('\0', ' ') });
    }
  }
  return running;
}

/** Empty where the process has ended meanwhile. */
function readProc(pid: string, file: string): Promise<string> {
  return readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
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
  return { ...Object.fromEntries(kept), HOME: home, SHELL: '/bin/bash', EXTENSIONS_GALLERY: '{}' };
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
