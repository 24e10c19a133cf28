import { SingleBar } from 'cli-progress';

/** One line on standard error that says what is being done and how far it is; nothing where no terminal reads it. */
export class ProgressLine {
  #bar: SingleBar | undefined;
  #what = '';

  /** `done` of `total`, both in the same unit; `detail` stands behind the bar. */
  show(what: string, done: number, total: number | undefined, detail = ''): void {
    if (what !== this.#what) this.end();
    this.#what = what;
    if (total === undefined || !process.stderr.isTTY) {
      if (this.#bar === undefined && process.stderr.isTTY) process.stderr.write(`\r${what} … ${detail}\u001b[K`);
      return;
    }
    this.#bar ??= startBar(what, total);
    this.#bar.setTotal(total);
    this.#bar.update(Math.min(done, total), { detail });
  }

  /** Leaves the line as it stands, and the cursor below it. */
  end(): void {
    if (this.#bar !== undefined) this.#bar.stop();
    else if (this.#what !== '' && process.stderr.isTTY) process.stderr.write('\r\u001b[K');
    this.#bar = undefined;
    this.#what = '';
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

/** Seconds as a person says them: "4 s", "3 min 20 s". */
export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/** Bytes in the unit that fits: "98 MB". */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}
