import { spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

const python = process.env['PYTHON'] ?? 'python3';

/** Why Python has nothing to compare with, in a sentence; undefined where it has all of these modules. */
export function whyNoPython(modules: readonly string[]): string | undefined {
  const script = `import importlib.util as u, sys; sys.exit(any(u.find_spec(m) is None for m in ${JSON.stringify(modules)}))`;
  if (spawnSync(python, ['-c', script]).status === 0) return undefined;
  return `${python} has no ${modules.join(' and ')}: set PYTHON to one that has`;
}

/** A Python program beside this file that answers a JSON document a line, idle while we compute. */
export class PythonProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;

  constructor(script: string) {
    this.#child = spawn(python, [join(import.meta.dirname, script)], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, HF_HUB_OFFLINE: '1' },
    });
    this.#reader = createInterface(this.#child.stdout);
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  async ask<R>(request: object): Promise<R> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const line = await this.#lines.next();
    if (line.done) throw new Error('PyTorch ended; what it said stands above.');
    return JSON.parse(line.value) as R;
  }

  async close(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.stdin.end();
    await ended;
    this.#reader.close();
  }
}
