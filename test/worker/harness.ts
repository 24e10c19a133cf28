import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { WorkerClient, type WorkerClientOptions } from '../../src/extension/workerClient.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface BuiltWorker extends AsyncDisposable {
  /** The test worker, a real process's entry. */
  readonly worker: string;
  /** A host process that starts the test worker. */
  readonly parent: string;
  client(options?: Partial<WorkerClientOptions>): WorkerClient;
}

/** Bundles the test's worker as `esbuild.mjs` bundles the real one. */
export async function buildTestWorker(): Promise<BuiltWorker> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'l3prune-worker-'));
  await build({
    absWorkingDir: root,
    entryPoints: {
      worker: 'test/worker/fixtures/worker.ts',
      parent: 'test/worker/fixtures/parent.ts',
      watchdog: 'src/worker/watchdog.ts',
    },
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    banner: { js: "import { createRequire as r } from 'node:module'; const require = r(import.meta.url);" },
  });
  const worker = path.join(folder, 'worker.mjs');
  const clients: WorkerClient[] = [];
  return {
    worker,
    parent: path.join(folder, 'parent.mjs'),
    client: (options) => {
      const client = new WorkerClient({
        entry: worker,
        env: () => ({}),
        log: { info: () => undefined, warn: () => undefined },
        backOff: () => 0,
        ...options,
      });
      clients.push(client);
      return client;
    },
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) client.dispose();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A port that a process connects to at its start: `closed` resolves when that process is gone, however it went. */
export async function lifeline(): Promise<{ port: number; connected: Promise<void>; closed: Promise<void> }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = new Promise<Socket>((resolve) => server.once('connection', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    connected: socket.then(() => undefined),
    closed: socket.then(
      (open) =>
        new Promise((resolve) => {
          open.on('error', () => undefined);
          open.on('close', () => {
            server.close();
            resolve();
          });
          open.resume();
        }),
    ),
  };
}

/** Rejects when the promise takes longer: for limits that are promised to people, not for speed. */
export async function within<T>(milliseconds: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${milliseconds} ms`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
