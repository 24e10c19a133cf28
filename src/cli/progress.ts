import { SingleBar } from 'cli-progress';
import { formatBytes } from '../format.ts';
import type { ByteProgress } from '../models/types.ts';

/** Where no terminal draws a bar, a log gets a line this often at most. */
const logSeconds = 15;

/** One line on standard error that says what is being done and how far it is. */
export class ProgressLine {
  #bar: SingleBar | undefined;
  #what = '';
  #lastLogged = performance.now();

  /** `done` of `total`, both in the same unit; `detail` stands behind the bar. */
  show(what: string, done: number, total: number | undefined, detail = ''): void {
    if (!process.stderr.isTTY) return this.#log(what, done, total, detail);
    if (what !== this.#what) this.end();
    this.#what = what;
    if (total === undefined) {
      process.stderr.write(`\r${what} … ${detail}\u001b[K`);
      return;
    }
    this.#bar ??= startBar(what, total);
    this.#bar.setTotal(total);
    this.#bar.update(Math.min(done, total), { detail });
  }

  /** Leaves the bar as it stands, and the cursor below it. */
  end(): void {
    if (this.#bar !== undefined) this.#bar.stop();
    else if (this.#what !== '' && process.stderr.isTTY) process.stderr.write('\r\u001b[K');
    this.#bar = undefined;
    this.#what = '';
  }

  #log(what: string, done: number, total: number | undefined, detail: string): void {
    const now = performance.now();
    if (now - this.#lastLogged < logSeconds * 1000) return;
    this.#lastLogged = now;
    const share = total === undefined || total === 0 ? '' : ` ${Math.floor((100 * done) / total)} %`;
    process.stderr.write(`${what}${share}${detail === '' ? '' : ` (${detail})`}\n`);
  }
}

/** What is fetched, converted or installed, on the line. */
export function showBytes(line: ProgressLine, { what, doneBytes, totalBytes }: ByteProgress): void {
  const done = doneBytes === 0 ? '' : formatBytes(doneBytes);
  line.show(what, doneBytes, totalBytes, totalBytes === undefined ? done : `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`);
}

/** Runs work to its end, showing each of its steps, and leaves the line free for what comes next. */
export async function showSteps<P, R>(running: AsyncGenerator<P, R>, line: ProgressLine, show: (step: P) => void): Promise<R> {
  try {
    for (;;) {
      const step = await running.next();
      if (step.done) return step.value;
      show(step.value);
    }
  } finally {
    line.end();
  }
}

function startBar(what: string, total: number): SingleBar {
  const bar = new SingleBar({
    format: `${what} {bar} {percentage} % {detail}`,
    barsize: 24,
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: false,
  });
  bar.start(total, 0, { detail: '' });
  return bar;
}
