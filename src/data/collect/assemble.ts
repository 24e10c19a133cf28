import { createHash } from 'node:crypto';
import { mkdir, rm, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { writeFileAtomically } from '../../files.ts';
import { HashSet } from '../hash-set.ts';
import { readLines } from '../lines.ts';
import type { MinedRow } from '../mine/rows.ts';
import type { Side } from '../mine/split.ts';
import { type MinedTriplet, mineKinds, type MineKind, tripletLine } from '../mine/triplet.ts';
import { Skipped } from '../walk.ts';

type RowKind = Pick<MinedTriplet, 'kind' | 'language'>;

/** What was written: the kind and language of each row, and what was left out and why. */
export interface AssembledRows {
  readonly triplets: readonly RowKind[];
  readonly heldOut: readonly RowKind[];
  readonly skipped: Readonly<Record<string, number>>;
}

/** Below the folder, by side. */
const FOLDERS: { readonly [K in Side]: string } = { train: '', heldOut: 'held-out' };

/**
 * Puts the rows of many packages together, a file a kind and side: each query and each body once, none of what is held
 * out among what is trained on. Rows are streamed; what is held are hashes.
 *
 * @param parts files of rows, as `MinedRow` has them, the first of which counts where texts are the same
 * @throws NOT_FOUND, BAD_DATA, WRITE_FAILED, CANCELLED
 */
export async function assembleRows(parts: readonly string[], folder: string, signal?: AbortSignal): Promise<AssembledRows> {
  const held = new Set<string>();
  for await (const { side, body, triplet } of rowsOf(parts, signal)) if (side === 'heldOut') held.add(body).add(queryOf(triplet));
  const skipped = new Skipped();
  const written: { readonly [K in Side]: RowKind[] } = { train: [], heldOut: [] };
  const targets = (Object.keys(FOLDERS) as Side[]).flatMap((side) => mineKinds.map((kind) => ({ side, kind, file: path.join(folder, FOLDERS[side], `${kind}.jsonl`) })));
  await mkdir(path.join(folder, FOLDERS.heldOut), { recursive: true });
  await writeTogether(
    targets.map(({ file }) => file),
    async (handles) => {
      const handleOf = (side: Side, kind: MineKind): FileHandle => handles[targets.findIndex((target) => target.side === side && target.kind === kind)] as FileHandle;
      for await (const { side, triplet } of distinct(rowsOf(parts, signal), held, skipped)) {
        await handleOf(side, triplet.kind).appendFile(tripletLine(triplet));
        written[side].push({ kind: triplet.kind, language: triplet.language });
      }
    },
  );
  for (const { side, kind, file } of targets) if (!written[side].some((row) => row.kind === kind)) await rm(file);
  return { triplets: written.train, heldOut: written.heldOut, skipped: skipped.counts };
}

async function* distinct(rows: AsyncIterable<MinedRow>, held: ReadonlySet<string>, skipped: Skipped): AsyncGenerator<MinedRow> {
  const bodies = new HashSet();
  const queries = new HashSet();
  for await (const row of rows) {
    const { side, body, triplet, negativeBodies } = row;
    const negatives = side === 'heldOut' ? triplet.negatives : triplet.negatives.filter((_, i) => !held.has(negativeBodies[i] as string));
    if (side === 'train' && (held.has(body) || held.has(queryOf(triplet)))) skipped.add('also held out');
    else if (negatives.length === 0 && triplet.negatives.length > 0) skipped.add('also held out');
    else if (!bodies.add(digest(body))) skipped.add('same body in another package');
    else if (!queries.add(digest(queryOf(triplet)))) skipped.add('same query in another package');
    else yield negatives.length === triplet.negatives.length ? row : { ...row, triplet: { ...triplet, negatives } };
  }
}

/** Never the hash of a body, which has no space in it. */
function queryOf({ query }: MinedTriplet): string {
  return ` ${query.toLowerCase()}`;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

async function* rowsOf(parts: readonly string[], signal: AbortSignal | undefined): AsyncGenerator<MinedRow> {
  for (const part of parts) {
    // We have written these lines ourselves, whole or not at all.
    for await (const line of readLines(part, signal)) if (line.problem === undefined) yield JSON.parse(line.text) as MinedRow;
  }
}

/** Writes several files atomically while all of them are open. */
async function writeTogether(files: readonly string[], write: (handles: readonly FileHandle[]) => Promise<void>, open: readonly FileHandle[] = []): Promise<void> {
  const [file, ...rest] = files;
  if (file === undefined) return write(open);
  await writeFileAtomically(file, (handle) => writeTogether(rest, write, [...open, handle]));
}
