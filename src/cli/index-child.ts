import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

/** A process that ends at once would be started again without end. */
const restartMilliseconds = 10_000;

/**
 * The process of this very program that keeps a workspace's index up to date, apart from the one that answers: it is
 * started again where it ends, and ends with this one.
 */
export class IndexChild {
  /** The last thing that it said. */
  state = 'starting';
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(args: readonly string[]) {
    this.#args = args;
    this.#start();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#child?.kill('SIGINT');
  }

  #start(): void {
    // Its standard input is ours to close: where this process is killed, it ends as well.
    const child = spawn(process.execPath, [process.argv[1]!, 'index', '--watch', '--until-input-ends', ...this.#args], { stdio: ['pipe', 'pipe', 'pipe'], windowsHide: true });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', (line) => (this.state = line));
    child.stdin.on('error', () => undefined);
    child.once('error', (error) => (this.state = error.message));
    child.once('close', () => {
      if (!this.#isStopped) this.#timer = setTimeout(() => this.#start(), restartMilliseconds);
    });
  }
}
