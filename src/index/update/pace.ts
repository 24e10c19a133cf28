import { setTimeout } from 'node:timers/promises';
import { computingFolder, isAnnounced } from '../../announce.ts';
import type { IndexLocation } from '../location.ts';
import { checkHeld, type WriterLock } from '../writer-lock.ts';
import { isOnBattery } from './battery.ts';

/** Between two looks at whether the machine is free again. */
const lookMilliseconds = 20;
/** A query is answered long before that; what waits longer does not wait for us. */
const mostWaitSeconds = 2;
/** So long after a query the next is likely. */
const attentiveSeconds = 3;
/** What a run may take then, so that the next query finds a core. */
const attentiveRunSeconds = 0.1;
/** A battery does not change from one run to the next. */
const batterySeconds = 10;

export interface PaceOptions {
  readonly home: string;
  readonly location: IndexLocation;
  readonly lock: WriterLock;
  /** Embeds also while a training runs, or on battery. */
  readonly regardless: boolean;
  /** Where the system tells of batteries: see battery.ts. */
  readonly powerSupplies?: string | undefined;
}

/** How embedding yields to queries, trainings and a battery: asked before every run. */
export class Pace {
  readonly #options: PaceOptions;
  #lastQuery = -Infinity;
  #battery = { at: -Infinity, isOn: false };

  constructor(options: PaceOptions) {
    this.#options = options;
  }

  /** Waits while others need the machine; yields why, again and again. Errors: BUSY where another process has taken over. */
  async *wait(): AsyncGenerator<string, void> {
    const { location, lock } = this.#options;
    const began = performance.now();
    while (await isAnnounced(location.waiting)) {
      this.#lastQuery = performance.now();
      if (this.#lastQuery - began > mostWaitSeconds * 1000) break;
      await setTimeout(lookMilliseconds);
    }
    for (;;) {
      await checkHeld(lock);
      const reason = await this.#reasonToWait();
      if (reason === undefined) return;
      yield reason;
      await setTimeout(lookMilliseconds * 10);
    }
  }

  /** For how long the next run may compute. */
  mostSeconds(): number {
    return performance.now() - this.#lastQuery < attentiveSeconds * 1000 ? attentiveRunSeconds : Infinity;
  }

  async #reasonToWait(): Promise<string | undefined> {
    const { home, regardless } = this.#options;
    if (regardless) return undefined;
    if (await isAnnounced(computingFolder(home))) return 'a training has the machine';
    return this.#isOnBattery() ? 'the machine runs on battery' : undefined;
  }

  #isOnBattery(): boolean {
    const now = performance.now();
    if (now - this.#battery.at > batterySeconds * 1000) this.#battery = { at: now, isOn: isOnBattery(this.#options.powerSupplies) === true };
    return this.#battery.isOn;
  }
}
