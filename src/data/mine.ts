import { createHash } from 'node:crypto';
import path from 'node:path';
import { throwIfCancelled } from '../errors.ts';
import { writeFileAtomically } from '../files.ts';
import { Random } from '../random.ts';
import type { FunctionChunk } from './functions.ts';
import type { CodeLanguage } from './grammars.ts';
import { NegativeFinder } from './negatives.ts';
import { findPackages, type SourcePackage } from './packages.ts';
import { firstSentence } from './sentence.ts';
import { readFunctions } from './sources.ts';
import { canonicalRow, type TripletSet } from './triplet.ts';
import { Skipped, walkSources } from './walk.ts';

/** Stands before every mined query, in the manner of the paper's data (a separator follows it). */
export const MINED_INSTRUCTION = 'Given a description in plain words, retrieve the code that does it';

/** A triplet from the user's own code, and where it is from. */
export interface MinedTriplet {
  readonly query: string;
  readonly positive: string;
  readonly negative: string;
  readonly instruction: string;
  /** What made query and positive a pair. */
  readonly kind: 'doc-comment';
  readonly language: CodeLanguage;
  readonly package: string;
  /** Inside of the package, with "/". */
  readonly path: string;
  /** The positive's first line, 1-based. */
  readonly line: number;
}

/** One step. `files` is known from the first step on; counts never shrink. */
export interface MineProgress {
  readonly filesDone: number;
  readonly files: number;
  readonly triplets: number;
}

/** What was found, and what was left out and why. */
export interface MineResult {
  readonly triplets: readonly MinedTriplet[];
  readonly found: ReadonlyArray<{ readonly kind: MinedTriplet['kind']; readonly language: CodeLanguage; readonly count: number }>;
  readonly packages: number;
  readonly filesDone: number;
  readonly files: number;
  /** Files and functions by the reason they gave no triplet. */
  readonly skipped: Readonly<Record<string, number>>;
}

export interface MineOptions {
  readonly seed: number;
  /** Stops at that many triplets. */
  readonly limit: number;
  readonly signal?: AbortSignal | undefined;
}

const MIN_BODY_LINES = 3;
const MAX_CODE_LINES = 60;
const MAX_CODE_CHARACTERS = 4000;
/** The share of the limit that one package may give in a round, so that a limit brings variety. */
const OWN_SHARE = 0.5;
const DEPENDENCY_SHARE = 0.1;
/** Files with comments that are parsed of a package before the next one has its turn. */
const FILES_A_TURN = 100;
const PROGRESS_EVERY = 20;
const COMMENTED = { text: '/**', problem: 'no documentation comment' };

/**
 * Mines training triplets from a workspace and its installed dependencies, TypeScript and JavaScript: the first sentence
 * of a documentation comment is the query, the function below it the positive, and the function of the same package that
 * the query's words fit best, but the positive, the negative. No query and no body comes twice. Packages take turns in
 * an order that the seed decides, the workspace first, until the limit is reached or every file is read. For given files
 * and seed the result is always the same.
 *
 * @throws NOT_FOUND, CANCELLED
 */
export async function* mine(workspace: string, options: MineOptions): AsyncGenerator<MineProgress, MineResult> {
  const { limit, signal } = options;
  const run = new Run(options);
  const queues: Queue[] = [];
  for (const source of await findPackages(workspace, signal)) queues.push(await run.list(source));
  const files = queues.reduce((sum, { paths }) => sum + paths.length, 0);
  const progress = (): MineProgress => ({ filesDone: run.filesDone, files, triplets: run.triplets.length });
  yield progress();
  const [own, ...dependencies] = queues;
  const order = own === undefined ? [] : [own, ...run.random.shuffle(dependencies)];
  const unfinished = (): Queue[] => order.filter(({ next, paths }) => next < paths.length);
  for (let round = unfinished(); round.length > 0 && run.triplets.length < limit; round = unfinished()) {
    for (const queue of round) {
      if (run.triplets.length < limit) for await (const _ of run.turn(queue)) yield progress();
    }
  }
  yield progress();
  return { ...run.result(), packages: queues.length, files };
}

/** What mining found, as data to profile on: shuffled by the seed, so that every batch has rows of many packages. */
export function minedTriplets({ triplets }: Pick<MineResult, 'triplets'>, seed: number): TripletSet {
  const rows = Random.fromSeed(seed)
    .shuffle([...triplets])
    .map(({ query, positive, negative, instruction }) => ({ query, positive, negatives: [negative], instruction }));
  const hash = createHash('sha256');
  for (const row of rows) hash.update(canonicalRow(row));
  return { triplets: rows, rejected: [], fingerprint: hash.digest('hex') };
}

/** Writes triplets as JSON lines, whole or not at all. Throws WRITE_FAILED. */
export async function writeTriplets(file: string, triplets: readonly MinedTriplet[]): Promise<void> {
  await writeFileAtomically(file, triplets.map((triplet) => `${JSON.stringify(triplet)}\n`).join(''));
}

/** The files of a package in the order in which they are read, relative to it. */
interface Queue {
  readonly source: SourcePackage;
  readonly paths: readonly string[];
  next: number;
}

/** The state of one mining: what has been seen, found and left out. */
class Run {
  readonly random: Random;
  readonly triplets: MinedTriplet[] = [];
  filesDone = 0;
  readonly #options: MineOptions;
  readonly #skipped = new Skipped();
  readonly #seen = new Set<string>();

  constructor(options: MineOptions) {
    this.#options = options;
    this.random = Random.fromSeed(options.seed);
  }

  async list(source: SourcePackage): Promise<Queue> {
    const paths: string[] = [];
    const { signal } = this.#options;
    for await (const file of walkSources(source.directory, { gitignore: source.own, skipped: this.#skipped, signal })) {
      paths.push(path.relative(source.directory, file).split(path.sep).join('/'));
    }
    return { source, paths: this.random.shuffle(paths), next: 0 };
  }

  /** Reads on in one package until it has had its share, yielding now and then. */
  async *turn(queue: Queue): AsyncGenerator<void> {
    const { limit, signal } = this.#options;
    const share = Math.ceil(limit * (queue.source.own ? OWN_SHARE : DEPENDENCY_SHARE));
    const functions: FunctionChunk[] = [];
    const pairs: { query: string; positive: FunctionChunk }[] = [];
    for (let parsed = 0; queue.next < queue.paths.length && parsed < FILES_A_TURN && pairs.length < share; ) {
      throwIfCancelled(signal);
      const found = await this.#read(queue.source, queue.paths[queue.next++] as string);
      this.filesDone++;
      if (this.filesDone % PROGRESS_EVERY === 0) yield;
      if (found === undefined) continue;
      parsed++;
      for (const chunk of found) this.#consider(chunk, functions, pairs);
    }
    const finder = new NegativeFinder(functions, this.random);
    const most = Math.min(limit, this.triplets.length + share);
    for (const { query, positive } of pairs) {
      const negative = this.triplets.length < most ? finder.find(query, positive) : undefined;
      if (negative !== undefined) this.triplets.push(toTriplet(query, positive, negative, queue.source.name));
      else this.#skipped.add(this.triplets.length < most ? 'no other function in its package' : "beyond the limit or its package's share");
    }
  }

  result(): Omit<MineResult, 'packages' | 'files'> {
    const counts = new Map<CodeLanguage, number>();
    for (const { language } of this.triplets) counts.set(language, (counts.get(language) ?? 0) + 1);
    return {
      triplets: this.triplets,
      found: Array.from(counts, ([language, count]) => ({ kind: 'doc-comment', language, count })),
      filesDone: this.filesDone,
      skipped: this.#skipped.counts,
    };
  }

  /** The functions of a file, undefined where it is not worth parsing. */
  async #read({ directory }: SourcePackage, relative: string): Promise<readonly FunctionChunk[] | undefined> {
    const file = path.join(directory, relative);
    const read = isTest(relative) ? { problem: 'test' } : await readFunctions(file, relative, COMMENTED);
    if (read.problem === undefined) return read.functions;
    this.#skipped.add(read.problem);
    return undefined;
  }

  /** Sorts a function into what may be a negative and what makes a pair; each query and each body once. */
  #consider(chunk: FunctionChunk, functions: FunctionChunk[], pairs: { query: string; positive: FunctionChunk }[]): void {
    const lines = chunk.code.split('\n').length;
    if (chunk.bodyLines < MIN_BODY_LINES) return this.#skipped.add('body too short');
    if (lines > MAX_CODE_LINES || chunk.code.length > MAX_CODE_CHARACTERS) return this.#skipped.add('body too long');
    if (this.#seenBefore(chunk.code.replace(/\s+/g, ''))) return this.#skipped.add('same body seen before');
    functions.push(chunk);
    if (chunk.comment === undefined) return this.#skipped.add('function without documentation comment');
    const query = firstSentence(chunk.comment.text);
    if (query.problem !== undefined) this.#skipped.add(query.problem);
    else if (this.#seenBefore(query.text.toLowerCase())) this.#skipped.add('same sentence seen before');
    else pairs.push({ query: query.text, positive: chunk });
  }

  #seenBefore(text: string): boolean {
    const key = createHash('sha1').update(text).digest('base64');
    if (this.#seen.has(key)) return true;
    this.#seen.add(key);
    return false;
  }
}

function isTest(relative: string): boolean {
  return /(^|\/)(tests?|__tests__|__mocks__|specs?|fixtures?)\/|[.-](test|spec)\.[cm]?[jt]sx?$/i.test(relative);
}

function toTriplet(query: string, positive: FunctionChunk, negative: FunctionChunk, name: string): MinedTriplet {
  return {
    query,
    positive: positive.code,
    negative: negative.code,
    instruction: MINED_INSTRUCTION,
    kind: 'doc-comment',
    language: positive.language,
    package: name,
    path: positive.path,
    line: positive.startLine,
  };
}
