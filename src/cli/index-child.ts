import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { createInterface } from 'node:readline';
import { watchingNotice } from '../index/watch.ts';

/** A process that ends at once would be started again without end. */
const restartMilliseconds = 10_000;

/**
 * The process of this very program that keeps a workspace's index up to date, apart from the one that answers: it is
 * started again where it ends, and ends with this one.
 */
export class IndexChild {
  /** What it does, in words. */
  state = 'starting';
  readonly #args: readonly string[];
  #child: ChildProcessByStdio<Writable, Readable, Readable> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(args: readonly string[]) {
    this.#args = args;
    this.#start();
  }

  /** Has it end when it is between two steps; nobody has to wait for that. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#child?.stdin.end();
    this.#child?.unref();
    for (const stream of [this.#child?.stdout, this.#child?.stderr]) (stream as Socket | undefined)?.unref();
  }

  #start(): void {
    // Its standard input is ours to close: where this process is killed, it ends as well.
    const child = spawn(process.execPath, [process.argv[1]!, 'index', '--watch', '--until-input-ends', '--json', ...this.#args], { stdio: ['pipe', 'pipe', 'pipe'], windowsHide: true });
    this.#child = child;
    // A document when it is done; until then it says how far it is, and what is wrong.
    createInterface({ input: child.stdout }).on('line', () => (this.state = 'up to date'));
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (line !== watchingNotice) this.state = line;
    });
    child.stdin.on('error', () => undefined);
    child.once('error', (error) => (this.state = error.message));
    child.once('close', () => {
      if (!this.#isStopped) this.#timer = setTimeout(() => this.#start(), restartMilliseconds);
    });
  }
}
