import { L3PruneError } from '../../errors.ts';
import type { WorkspaceSearch } from './search.ts';

/** An open search with those that use it. */
interface Held {
  readonly search: Promise<WorkspaceSearch>;
  users: number;
}

/**
 * A search that is opened when it is first used, and anew where its index turns out to be damaged or another has taken its
 * place. One that could not be opened is tried again the next time.
 */
export class ReopeningSearch {
  readonly #open: () => Promise<WorkspaceSearch>;
  #held: Held | undefined;

  constructor(open: () => Promise<WorkspaceSearch>) {
    this.#open = open;
  }

  /** Does work with the search. Errors: those of opening it and of the work. */
  async use<R>(work: (search: WorkspaceSearch) => R): Promise<Awaited<R>> {
    try {
      return await this.#use(work);
    } catch (error) {
      if (!isBadIndex(error)) throw error;
      return await this.#use(work);
    }
  }

  /** Closes it, once nobody uses it any more. */
  async close(): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    if (held?.users === 0) await closed(held);
  }

  async #use<R>(work: (search: WorkspaceSearch) => R): Promise<Awaited<R>> {
    const held = (this.#held ??= { search: this.#open(), users: 0 });
    held.users++;
    try {
      const search = await held.search.catch((error: unknown) => {
        this.#drop(held);
        throw error;
      });
      return await work(search);
    } catch (error) {
      if (isBadIndex(error)) this.#drop(held);
      throw error;
    } finally {
      held.users--;
      if (held.users === 0 && this.#held !== held) await closed(held);
    }
  }

  #drop(held: Held): void {
    if (this.#held === held) this.#held = undefined;
  }
}

async function closed({ search }: Held): Promise<void> {
  await (await search.catch(() => undefined))?.close();
}

function isBadIndex(error: unknown): boolean {
  return error instanceof L3PruneError && error.code === 'BAD_INDEX';
}
