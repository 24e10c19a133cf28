import { createHash } from 'node:crypto';
import { errors } from '../errors.ts';
import { Random } from '../random.ts';
import { dataFiles } from './lines.ts';
import { isRejected, nothingUsable, readRows, Rejections } from './rows.ts';
import { tripletRow } from './triplet-schema.ts';
import { canonicalRow, type Triplet, type TripletSet } from './triplet.ts';

/** More text than this is not held at once: `sampleTriplets` takes as many rows as fit from a file of any size. */
const MAX_HELD_CHARACTERS = 512 * 1024 * 1024;

/**
 * Reads triplets, at least one negative each: a `.jsonl` or `.jsonl.gz` file, or a folder of them in the order of their
 * names. A row is as `tripletRow` says; one that cannot be used is left out and named with its line and a reason.
 *
 * @param options.limit stops after that many accepted rows
 * @throws NOT_FOUND, BAD_DATA (nothing usable, or a broken gzip), TOO_LARGE (more text than is held at once), CANCELLED
 */
export async function readTriplets(location: string, options: { signal?: AbortSignal; limit?: number } = {}): Promise<TripletSet> {
  const { signal, limit = Infinity } = options;
  const kept: Triplet[] = [];
  let characters = 0;
  const { rejected, fingerprint } = await scan(location, signal, (triplet) => {
    characters += lengthOf(triplet);
    if (characters > MAX_HELD_CHARACTERS)
      throw errors.tooLarge(`${location} holds more text than is read at once: say how many rows to take.`);
    kept.push(triplet);
    return kept.length < limit;
  });
  return { triplets: kept, rejected, fingerprint };
}

/**
 * Takes `count` triplets from a file or folder of any size in one pass, holding no more than twice as many: the first
 * ones (`file`), or ones drawn and ordered by the seed (`shuffled`). With one seed, fewer rows are a prefix of more. The
 * fingerprint covers every accepted row that was read: all of them when shuffled, the first `count` in file order.
 *
 * @throws as `readTriplets`
 */
export async function sampleTriplets(
  location: string,
  options: { count: number; seed: number; order: 'shuffled' | 'file'; signal?: AbortSignal },
): Promise<TripletSet> {
  const { count, seed, order, signal } = options;
  if (order === 'file') return readTriplets(location, { limit: count, ...(signal && { signal }) });
  // Every row draws a key; the rows with the least keys, in their order, are a uniform sample, uniformly shuffled.
  const random = Random.fromSeed(seed);
  let kept: { key: number; triplet: Triplet }[] = [];
  let bound = Infinity;
  const prune = (): void => {
    kept = kept.sort((a, b) => a.key - b.key).slice(0, count);
    if (kept.length === count) bound = kept.at(-1)?.key ?? Infinity;
  };
  const { rejected, fingerprint } = await scan(location, signal, (triplet) => {
    const key = random.float();
    if (key < bound) kept.push({ key, triplet });
    if (kept.length >= 2 * count) prune();
    return true;
  });
  prune();
  return { triplets: kept.map(({ triplet }) => triplet), rejected, fingerprint };
}

/** Hands every accepted row to `accept` until that returns false. */
async function scan(
  location: string,
  signal: AbortSignal | undefined,
  accept: (triplet: Triplet) => boolean,
): Promise<Pick<TripletSet, 'rejected' | 'fingerprint'>> {
  const rejections = new Rejections();
  const hash = createHash('sha256');
  let accepted = 0;
  const finished = () => ({ rejected: rejections.rows, fingerprint: hash.digest('hex') });
  for (const file of await dataFiles(location)) {
    for await (const row of readRows(file, tripletRow, signal)) {
      if (isRejected(row)) {
        rejections.add(row);
        continue;
      }
      hash.update(canonicalRow(row.value));
      accepted++;
      if (!accept(row.value)) return finished();
    }
  }
  if (accepted > 0) return finished();
  throw nothingUsable(location, rejections, 'query, positive and negative');
}

function lengthOf(triplet: Triplet): number {
  return triplet.negatives.reduce((sum, negative) => sum + negative.length, triplet.query.length + triplet.positive.length);
}
