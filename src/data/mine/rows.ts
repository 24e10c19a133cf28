import type { Skipped } from '../walk.ts';
import { Seen, type Side } from './split.ts';
import type { MinedTriplet } from './triplet.ts';

/** A row before it is known whether its texts turn up among the held-out ones. */
export interface MinedRow {
  readonly triplet: MinedTriplet;
  readonly side: Side;
  /** The hash of the positive's body, and of each negative's. */
  readonly body: string;
  readonly negativeBodies: readonly string[];
}

/** The rows of all packages: each query and each body once, and none on both sides. */
export class MinedRows {
  readonly #rows: MinedRow[] = [];
  readonly #bodies = new Seen();
  readonly #queries = new Seen();

  get count(): number {
    return this.#rows.length;
  }

  /** Whether a function's body is new on its side. */
  isNewBody(hash: string, side: Side): boolean {
    return this.#bodies.add(hash, side);
  }

  /** Whether a query is new on its side. */
  isNewQuery(query: string, side: Side): boolean {
    return this.#queries.add(query.toLowerCase(), side);
  }

  add(row: MinedRow): void {
    this.#rows.push(row);
  }

  /** As they were found. */
  get all(): readonly MinedRow[] {
    return this.#rows;
  }

  /** The rows of both sides; what of the training rows turned up among what is held out is left out and counted. */
  split(skipped: Skipped): { triplets: MinedTriplet[]; heldOut: MinedTriplet[] } {
    const triplets: MinedTriplet[] = [];
    const heldOut: MinedTriplet[] = [];
    for (const { triplet, side, body, negativeBodies } of this.#rows) {
      if (side === 'heldOut') heldOut.push(triplet);
      else if (this.#bodies.isMoved(body) || this.#queries.isMoved(triplet.query.toLowerCase())) skipped.add('also held out');
      else {
        const negatives = triplet.negatives.filter((_, i) => !this.#bodies.isMoved(negativeBodies[i] as string));
        if (negatives.length === 0 && triplet.negatives.length > 0) skipped.add('also held out');
        else triplets.push(negatives.length === triplet.negatives.length ? triplet : { ...triplet, negatives });
      }
    }
    return { triplets, heldOut };
  }
}
