import * as fc from 'fast-check';

/** Runs of a property: a few seconds in `npm test`, minutes in `npm run test:long`. */
export const runs = (short: number): number => (process.env['L3PRUNE_LONG'] === '1' ? short * 20 : short);

/** What `npm test` tries is the same every time; the long run takes new ground. */
export const seed = process.env['L3PRUNE_LONG'] === '1' ? {} : { seed: 42 };

interface Mutation {
  readonly kind: 'overwrite' | 'insert' | 'delete' | 'truncate';
  readonly at: number;
  readonly bytes: Uint8Array;
}

const hostileNumbers = [0n, 1n, 0xffn, 0x7fff_ffffn, 0xffff_ffffn, 1n << 53n, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 1n];
const numberBytes = (value: bigint): Uint8Array => {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return bytes;
};

/** One to three changes: random bytes or a hostile 64-bit number written, put in, or taken out, or the end cut off. */
export const mutations: fc.Arbitrary<Mutation[]> = fc.array(
  fc.record({
    kind: fc.constantFrom('overwrite', 'overwrite', 'overwrite', 'insert', 'delete', 'truncate'),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    bytes: fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 8 }),
      fc.constantFrom(...hostileNumbers).map(numberBytes),
      fc.constantFrom('"', '{', '}', '[', ',', ':', '\\', '\0', '-', '9').map((text) => Buffer.from(text)),
    ),
  }),
  { minLength: 1, maxLength: 3 },
);

/** Applies them to the first `span` bytes (the header, where most of a reader's decisions are made). */
export function mutate(bytes: Uint8Array, changes: readonly Mutation[], span: number): Buffer {
  let current = Buffer.from(bytes);
  for (const { kind, at, bytes: change } of changes) {
    const i = Math.min(Math.floor(at * span), current.length);
    const rest = { overwrite: i + change.length, insert: i, delete: i + change.length, truncate: current.length }[kind];
    const middle = kind === 'overwrite' || kind === 'insert' ? change : new Uint8Array();
    current = Buffer.concat([current.subarray(0, i), middle, current.subarray(rest)]);
  }
  return current;
}

/** JSON values that no reader expects where it finds them. */
export const hostileValue = fc.constantFrom<unknown>(
  null, true, false, 0, -1, 1, 1.5, 2 ** 31, 2 ** 53, 1e308, -1e308, '', 'F32', 'x', '../../etc/passwd', [], {}, [[]], [0, -1], [2 ** 53, 2 ** 53], [1, 2, 3],
);

/** A copy of `json` with the value at the `n`-th place (counting all places, depth first, cyclically) replaced. */
export function replaceAt(json: unknown, n: number, value: unknown): unknown {
  const copy = structuredClone(json);
  const places: Array<{ owner: Record<string, unknown>; key: string }> = [];
  const visit = (owner: unknown): void => {
    if (typeof owner !== 'object' || owner === null) return;
    for (const key of Object.keys(owner)) {
      places.push({ owner: owner as Record<string, unknown>, key });
      visit((owner as Record<string, unknown>)[key]);
    }
  };
  visit(copy);
  const place = places[n % places.length]!;
  place.owner[place.key] = value;
  return copy;
}
