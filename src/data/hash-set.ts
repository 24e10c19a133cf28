const MAX_LOAD = 0.7;

/**
 * A set of 64-bit hashes in open addressing, 12 to 23 bytes each. A `Set` takes several times that and ends at 16 million
 * entries. Two of n different texts share a hash with a chance of about n² / 2^65: one in 400,000 for ten million.
 */
export class HashSet {
  /** Two words a slot; a slot of zeros is free. */
  #slots = new Uint32Array(2 * 1024);
  #size = 0;

  /** Adds the hash that these bytes begin with, at least 8 of a good hash; false when it was there already. */
  add(digest: Buffer): boolean {
    if (this.#size >= (MAX_LOAD * this.#slots.length) / 2) this.#grow();
    const isNew = this.#put(digest.readUInt32LE(0) || 1, digest.readUInt32LE(4));
    if (isNew) this.#size++;
    return isNew;
  }

  #put(low: number, high: number): boolean {
    const slots = this.#slots;
    const last = slots.length - 2;
    // The number of slots is a power of two, and a slot is always free.
    for (let at = (low * 2) & last; ; at = (at + 2) & last) {
      if (slots[at] === 0) {
        slots[at] = low;
        slots[at + 1] = high;
        return true;
      }
      if (slots[at] === low && slots[at + 1] === high) return false;
    }
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(2 * old.length);
    for (let at = 0; at < old.length; at += 2) if (old[at] !== 0) this.#put(old[at] as number, old[at + 1] as number);
  }
}
