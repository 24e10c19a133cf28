import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { writeFileAtomically } from '../../files.ts';
import { Random } from '../../random.ts';
import type { CodeLanguage } from '../grammars.ts';
import { canonicalRow, type TripletSet } from '../triplet.ts';

/** What makes a query and a function a pair, the most like a person's question first. */
export const mineKinds = ['doc', 'test', 'commit', 'name'] as const;
export type MineKind = (typeof mineKinds)[number];

/** What stands before the query of each kind, in the manner of the paper's data (a separator follows it). */
export const MINED_INSTRUCTIONS: { readonly [K in MineKind]: string } = {
  doc: 'Given a description in plain words, retrieve the code that does it',
  test: 'Given what a test expects, retrieve the function that it tests',
  commit: 'Given the message of a commit, retrieve the function that it changed',
  name: 'Given the name of a function and of what it takes, in words, retrieve its code',
};

/** A row from somebody's code, and where it is from. */
export interface MinedTriplet {
  readonly query: string;
  readonly positive: string;
  /** As many as were asked for, or as there were. */
  readonly negatives: readonly string[];
  readonly instruction: string;
  readonly kind: MineKind;
  readonly language: CodeLanguage;
  readonly package: string;
  /** Of the positive, inside of the package, with "/". */
  readonly path: string;
  /** The positive's first line, 1-based. */
  readonly line: number;
  /** The positive's qualified name. */
  readonly symbol: string;
}

/** Mined rows as data to train or profile on: shuffled by the seed, so that every batch has rows of many packages. */
export function minedTriplets({ triplets }: { readonly triplets: readonly MinedTriplet[] }, seed: number): TripletSet {
  const rows = Random.fromSeed(seed)
    .shuffle([...triplets])
    .map(({ query, positive, negatives, instruction }) => ({ query, positive, negatives, instruction }));
  const hash = createHash('sha256');
  for (const row of rows) hash.update(canonicalRow(row));
  return { triplets: rows, rejected: [], fingerprint: hash.digest('hex') };
}

const ROWS_A_WRITE = 1000;

/**
 * Writes rows as JSON lines, whole or not at all; one negative stands under `negative`, several as a list; compressed where the
 * name ends with .gz. Throws WRITE_FAILED.
 */
export async function writeTriplets(file: string, triplets: readonly MinedTriplet[]): Promise<void> {
  const isCompressed = file.endsWith('.gz');
  await writeFileAtomically(file, async (handle) => {
    for (let start = 0; start < triplets.length; start += ROWS_A_WRITE) {
      const lines = triplets.slice(start, start + ROWS_A_WRITE).map(tripletLine).join('');
      await handle.appendFile(isCompressed ? await promisify(gzip)(lines) : lines);
    }
  });
}

/** One row of a data file. */
export function tripletLine({ query, positive, negatives, ...rest }: MinedTriplet): string {
  const negative = negatives.length === 1 ? negatives[0] : negatives;
  return `${JSON.stringify({ query, positive, ...(negatives.length > 0 && { negative }), ...rest })}\n`;
}
