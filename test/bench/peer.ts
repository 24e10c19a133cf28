import { spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

/** One bucket as both sides compute it: token ids and pooling weights, padded on the right. */
export interface Bucket {
  readonly ids: readonly number[][];
  readonly weights: readonly number[][];
}

const python = process.env['PYTHON'] ?? 'python3';

/** Why there is no PyTorch to compare with, in a sentence; undefined where there is. */
export function whyNoPeer(): string | undefined {
  const probe = spawnSync(python, [
    '-c',
    'import importlib.util as u, sys; sys.exit(any(u.find_spec(m) is None for m in ("torch", "transformers")))',
  ]);
  return probe.status === 0 ? undefined : `${python} has no torch and transformers: set PYTHON to one that has`;
}

/** PyTorch in a process of its own (`peer.py`), idle while we compute. */
export class Peer {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;
  name = '';

  private constructor() {
    this.#child = spawn(python, [join(import.meta.dirname, 'peer.py')], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, HF_HUB_OFFLINE: '1' },
    });
    this.#reader = createInterface(this.#child.stdout);
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  static async open(folder: string, options: { layers: number; every: boolean; threads: number }): Promise<Peer> {
    const peer = new Peer();
    peer.name = ((await peer.#ask({ load: folder, ...options })) as { name: string }).name;
    return peer;
  }

  /** Runs a bucket; `first` is the last layer's vector of its first text. */
  async run(bucket: Bucket): Promise<{ seconds: number; first: number[] }> {
    return (await this.#ask(bucket)) as { seconds: number; first: number[] };
  }

  async close(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.stdin.end();
    await ended;
    this.#reader.close();
  }

  async #ask(request: object): Promise<unknown> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const line = await this.#lines.next();
    if (line.done) throw new Error('PyTorch ended; what it said stands above.');
    return JSON.parse(line.value);
  }
}
