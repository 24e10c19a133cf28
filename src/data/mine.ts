import path from 'node:path';
import { throwIfCancelled } from '../errors.ts';
import { type CodeLanguage, codeLanguages } from './grammars.ts';
import { contextOf, type MineContext, type MineOptions } from './mine/context.ts';
import { PackageTurn } from './mine/package-turn.ts';
import type { MinedRows } from './mine/rows.ts';
import { type MinedTriplet, type MineKind, mineKinds } from './mine/triplet.ts';
import { findPackages, type SourcePackage } from './packages.ts';
import { type Skipped, walkSources } from './walk.ts';

/** One step. `files` is known from the first step on; counts never shrink. */
export interface MineProgress {
  readonly filesDone: number;
  readonly files: number;
  readonly triplets: number;
}

/** How many rows of one kind and language were found. */
export interface FoundRows {
  readonly kind: MineKind;
  readonly language: CodeLanguage;
  readonly count: number;
  readonly heldOut: number;
}

/** What was found, and what was left out and why. */
export interface MineResult {
  /** Rows to train on. */
  readonly triplets: readonly MinedTriplet[];
  /** Rows of other files, no query and no body of which stands in `triplets`. */
  readonly heldOut: readonly MinedTriplet[];
  readonly found: readonly FoundRows[];
  readonly packages: number;
  readonly filesDone: number;
  readonly files: number;
  /** Files, functions, tests and commits by the reason they gave no row. */
  readonly skipped: Readonly<Record<string, number>>;
}

/** The share of the limit that one package may give in a round, so that a limit brings variety. */
const OWN_SHARE = 0.5;
const DEPENDENCY_SHARE = 0.1;

/**
 * Mines training rows from the user's code and its installed dependencies. A query is the first sentence of a function's
 * documentation, the title of its test, the message of the commit that made it what it is, or its name and parameters in
 * words; the positive is the function without its documentation; negatives are the functions of the same package that
 * the query's words fit best and that are no answer. No query and no body comes twice. Packages take turns in an order
 * that the seed decides, workspaces first, until the limit is reached or every file is read. For given files and seed
 * the result is always the same.
 *
 * @param workspaces one folder or several
 * @throws NOT_FOUND, CANCELLED
 */
export async function* mine(workspaces: string | readonly string[], options: MineOptions): AsyncGenerator<MineProgress, MineResult> {
  const sources = new Map<string, SourcePackage>();
  for (const workspace of [workspaces].flat()) {
    for (const source of await findPackages(workspace, options.dependencies, options.signal)) {
      if (!sources.has(source.directory)) sources.set(source.directory, source);
    }
  }
  const { rows, skipped, ...counts } = yield* mineSources([...sources.values()], options);
  const split = rows.split(skipped);
  return { ...split, found: foundRows(split), ...counts, skipped: skipped.counts };
}

/** What `mineSources` found, before rows whose texts are also held out are taken out of those to train on. */
export interface MinedSources extends Pick<MineResult, 'packages' | 'filesDone' | 'files'> {
  readonly rows: MinedRows;
  readonly skipped: Skipped;
}

/** Mines given packages, as `mine` does. Throws CANCELLED. */
export async function* mineSources(sources: readonly SourcePackage[], options: MineOptions): AsyncGenerator<MineProgress, MinedSources> {
  const { signal } = options;
  const context = contextOf(options);
  const { random, skipped, rows } = context;
  const { limit } = context.options;
  const queues: Queue[] = [];
  for (const source of sources) queues.push(await list(source, context));
  const files = queues.reduce((sum, { paths }) => sum + paths.length, 0);
  let filesDone = 0;
  const progress = (): MineProgress => ({ filesDone, files, triplets: rows.count });
  yield progress();
  const own = queues.filter(({ source }) => source.own);
  const order = [...own, ...random.shuffle(queues.filter(({ source }) => !source.own))];
  const shareOf = (source: SourcePackage): number => {
    if (queues.length === 1) return limit;
    return Math.ceil(limit * (source.own ? OWN_SHARE / own.length : DEPENDENCY_SHARE));
  };
  const unfinished = (): Queue[] => order.filter(({ next, paths }) => next < paths.length);
  for (let round = unfinished(); round.length > 0 && rows.count < limit; round = unfinished()) {
    for (const queue of round) {
      if (rows.count >= limit) break;
      const turn = new PackageTurn(queue.source, context, shareOf(queue.source));
      while (queue.next < queue.paths.length && !turn.isFull) {
        throwIfCancelled(signal);
        await turn.read(queue.paths[queue.next++] as string);
        filesDone++;
        if (filesDone % PROGRESS_EVERY === 0) yield progress();
      }
      for await (const _ of turn.pair()) yield progress();
    }
  }
  yield progress();
  return { rows, skipped, packages: queues.length, filesDone, files };
}

const PROGRESS_EVERY = 20;

/** The files of a package in the order in which they are read, relative to it. */
interface Queue {
  readonly source: SourcePackage;
  readonly paths: readonly string[];
  next: number;
}

async function list(source: SourcePackage, { options: { languages, signal }, skipped, random }: MineContext): Promise<Queue> {
  const paths: string[] = [];
  for await (const file of walkSources(source.directory, { gitignore: source.own, languages, skipped, signal })) {
    paths.push(path.relative(source.directory, file).split(path.sep).join('/'));
  }
  return { source, paths: random.shuffle(paths), next: 0 };
}

type RowKind = Pick<MinedTriplet, 'kind' | 'language'>;

/** How many rows there are of each kind and language. */
export function foundRows({ triplets, heldOut }: { readonly triplets: readonly RowKind[]; readonly heldOut: readonly RowKind[] }): FoundRows[] {
  const count = (rows: readonly RowKind[], kind: MineKind, language: CodeLanguage): number =>
    rows.reduce((sum, row) => sum + (row.kind === kind && row.language === language ? 1 : 0), 0);
  return mineKinds
    .flatMap((kind) => codeLanguages.map((language) => ({ kind, language, count: count(triplets, kind, language), heldOut: count(heldOut, kind, language) })))
    .filter((found) => found.count + found.heldOut > 0);
}
