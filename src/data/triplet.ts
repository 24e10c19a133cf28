/** A query, the text that answers it, and texts that do not. */
export interface Triplet {
  readonly query: string;
  readonly positive: string;
  /** None of them empty; a profile's rows have at least one, rows to train on perhaps none. */
  readonly negatives: readonly string[];
  /** What stands before the query, without separator; undefined for none. */
  readonly instruction?: string;
}

/** A row as the fingerprint of its set hashes it: one line of what it says, the same however its file spells it. */
export function canonicalRow({ instruction, query, positive, negatives }: Triplet): string {
  return `${JSON.stringify([instruction ?? null, query, positive, ...negatives])}\n`;
}

/** A row of a data file that was left out, by file, 1-based line and reason. */
export interface RejectedRow {
  readonly file: string;
  readonly line: number;
  readonly reason: string;
}

/** What a data file or a folder of them holds. */
export interface TripletSet {
  readonly triplets: readonly Triplet[];
  readonly rejected: readonly RejectedRow[];
  /** SHA-256 over the accepted rows in order, hexadecimal. */
  readonly fingerprint: string;
}
