/** Steps that the present speed is read from. */
const recentSteps = 20;

/**
 * How fast a run goes and how long it will take. The time left follows the tokens a second of the last steps and the
 * tokens a step of the whole run, so that one batch of long texts does not make it jump.
 */
export class Pace {
  readonly #recent: { readonly tokens: number; readonly seconds: number }[] = [];
  #steps = 0;
  #tokens = 0;
  #pauses = 0;
  #pauseSeconds = 0;

  add(tokens: number, seconds: number): void {
    this.#steps++;
    this.#tokens += tokens;
    // The first step also makes the engine's sessions.
    if (this.#steps === 2) this.#recent.length = 0;
    this.#recent.push({ tokens, seconds });
    if (this.#recent.length > recentSteps) this.#recent.shift();
  }

  /** An evaluation, which comes again. */
  addPause(seconds: number): void {
    this.#pauses++;
    this.#pauseSeconds += seconds;
  }

  get tokensPerSecond(): number {
    const [tokens, seconds] = this.#recent.reduce(([t, s], step) => [t + step.tokens, s + step.seconds], [0, 0]);
    return tokens! / Math.max(seconds!, 1e-9);
  }

  /** Undefined before there are two steps to tell from. */
  secondsLeft(stepsLeft: number, pausesLeft: number): number | undefined {
    if (this.#steps < 2) return undefined;
    const pause = this.#pauses === 0 ? 0 : this.#pauseSeconds / this.#pauses;
    return (stepsLeft * (this.#tokens / this.#steps)) / this.tokensPerSecond + pausesLeft * pause;
  }
}
