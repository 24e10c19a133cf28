import { createHash } from 'node:crypto';

/** Which file of rows something belongs to. */
export type Side = 'train' | 'heldOut';

/**
 * The side of a source file: by the seed and the file's own path alone, so that a file that is added, or another that is
 * gone, moves no other. The share is met on average over files.
 *
 * @param share of held-out files, 0 to 1
 */
export function sideOf(file: string, share: number, seed: number): Side {
  const hash = createHash('sha256').update(`${seed}\0${file}`).digest();
  return hash.readUInt32BE(0) / 2 ** 32 < share ? 'heldOut' : 'train';
}

/** What has been met on which side. What is on both belongs to the held-out one, whichever came first. */
export class Seen {
  readonly #sides = new Map<string, Side>();
  readonly #moved = new Set<string>();

  /** Notes a text; false where it has been met before on its own side, or is held out. */
  add(text: string, side: Side): boolean {
    const key = keyOf(text);
    const before = this.#sides.get(key);
    if (before === side || before === 'heldOut') return false;
    this.#sides.set(key, side);
    if (before !== undefined) this.#moved.add(key);
    return true;
  }

  /** Whether a text that was met in training turned up among what is held out after that. */
  isMoved(text: string): boolean {
    return this.#moved.size > 0 && this.#moved.has(keyOf(text));
  }
}

function keyOf(text: string): string {
  return createHash('sha1').update(text).digest('base64');
}
