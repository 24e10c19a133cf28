import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { throwIfCancelled } from '../../errors.ts';
import { normalizedFunctionHash, withoutComments } from '../code-text.ts';
import type { FunctionChunk } from '../functions.ts';
import { familyOf, grammarOf } from '../grammars.ts';
import { languageRules } from '../languages/table.ts';
import { NegativeFinder } from '../negatives.ts';
import type { SourcePackage } from '../packages.ts';
import { firstSentence, type Sentence } from '../sentence.ts';
import { readSource } from '../sources.ts';
import { codeWords } from '../../text/words.ts';
import { commitQuery, CommitTargets } from './commits.ts';
import type { MineContext } from './context.ts';
import { readHistory } from './git-log.ts';
import { nameQuery, withoutOwnName } from './name.ts';
import { holdsSecret } from './secrets.ts';
import type { Side } from './split.ts';
import { isTest, isTestFile, type TestCase, testCases, testQuery, TestTargets } from './tests.ts';
import { MINED_INSTRUCTIONS, type MineKind } from './triplet.ts';

const MIN_BODY_LINES = 3;
const MAX_CODE_LINES = 60;
const MAX_CODE_CHARACTERS = 4000;
/** More code than this of one package is not held at once; what comes after it is a package of its own for negatives. */
const MAX_HELD_CHARACTERS = 24 * 1024 * 1024;
/** Files of a dependency that are read before the next one has its turn. */
const DEPENDENCY_FILES = 400;
/** Functions that a negative is looked for among. */
const POOL = 4096;
const YIELD_EVERY = 100;

/** A query and the function that answers it. */
interface Pair {
  readonly kind: MineKind;
  readonly query: string;
  readonly positive: FunctionChunk;
}

/** What is known of a function beside its text. */
interface Origin {
  readonly side: Side;
  readonly hash: string;
}

/** A part of a package that is read at once: its functions and tests, and the rows that they give. */
export class PackageTurn {
  readonly #source: SourcePackage;
  readonly #context: MineContext;
  /** Rows that the package may give now. */
  readonly #share: number;
  /** What may be a positive or a negative, in the order in which it was read. */
  readonly #origins = new Map<FunctionChunk, Origin>();
  /** All functions but tests: a name is only clear where it is that of no other. */
  readonly #functions: FunctionChunk[] = [];
  readonly #tests: TestCase[] = [];
  /** First sentences of documentation, as far as they can be queries. */
  readonly #descriptions = new Map<FunctionChunk, string>();
  #filesRead = 0;
  #characters = 0;

  constructor(source: SourcePackage, context: MineContext, share: number) {
    this.#source = source;
    this.#context = context;
    this.#share = share;
  }

  /** Whether it has what it may give, or may hold. */
  get isFull(): boolean {
    const { kinds } = this.#context.options;
    const isRich = kinds.includes('doc') && this.#descriptions.size >= this.#share;
    return isRich || this.#characters >= MAX_HELD_CHARACTERS || (!this.#source.own && this.#filesRead >= DEPENDENCY_FILES);
  }

  /** Reads one file, given relative to the package. */
  async read(relative: string): Promise<void> {
    const { options, skipped } = this.#context;
    this.#filesRead++;
    const withTests = options.kinds.includes('test');
    const isOfTests = isTestFile(relative);
    if (isOfTests && !withTests) return skipped.add('test file');
    const { language } = grammarOf(relative)!;
    const read = await readSource(path.join(this.#source.directory, relative), relative, {
      calls: withTests && (isOfTests || language === 'rust'), // Rust's tests stand beside what they test.
      wanted: options.kinds.every((kind) => kind === 'doc') ? commentMark(relative) : undefined,
    });
    if (read.problem !== undefined) return skipped.add(read.problem);
    if (withTests) this.#tests.push(...testCases(read, relative, language));
    if (isOfTests) return;
    const candidates = read.functions.filter((chunk) => {
      const isOfTest = isTest(chunk) || isInTestModule(chunk);
      if (isOfTest) skipped.add('test function');
      return !isOfTest && options.languages.includes(chunk.language);
    });
    const sized = candidates.map(toSized);
    const excluded = sized.flatMap(({ chunk, hash }) => (hash !== undefined && options.exclude.has(hash) ? [chunk] : []));
    for (const each of sized) {
      if (excluded.some((other) => overlaps(each.chunk, other))) skipped.add('excluded function');
      else this.#consider(each);
    }
  }

  /** Makes rows of what was read, yielding now and then. */
  async *pair(): AsyncGenerator<void> {
    const { options, skipped, rows } = this.#context;
    const most = Math.min(options.limit, rows.count + this.#share);
    const finders = this.#finders();
    let done = 0;
    for (const { kind, query, positive } of await this.#pairs()) {
      if (rows.count >= most) {
        skipped.add("beyond the limit or its package's share");
        continue;
      }
      const { side, hash } = this.#origins.get(positive) as Origin;
      const negatives = options.negatives === 0 ? [] : (finders.get(positive) as NegativeFinder).find(query, positive, options.negatives);
      if (options.negatives > 0 && negatives.length === 0) {
        skipped.add('no other function in its package');
        continue;
      }
      const text = (chunk: FunctionChunk): string => (kind === 'name' && !options.keepNames ? withoutOwnName(chunk) : chunk.code);
      rows.add({
        triplet: {
          query,
          positive: withoutAnswer(text(positive), query, positive),
          negatives: negatives.map(text),
          instruction: MINED_INSTRUCTIONS[kind],
          kind,
          language: positive.language,
          package: this.#source.name,
          path: positive.path,
          line: positive.startLine,
          symbol: positive.qualifiedName,
        },
        side,
        body: hash,
        negativeBodies: negatives.map((chunk) => (this.#origins.get(chunk) as Origin).hash),
      });
      if (++done % YIELD_EVERY !== 0) continue;
      await setImmediate();
      throwIfCancelled(options.signal);
      yield;
    }
  }

  /** Sorts out what can be neither positive nor negative; each body counts once. */
  #consider({ chunk, hash, problem }: Sized): void {
    const { options, skipped, rows } = this.#context;
    this.#functions.push(chunk);
    this.#characters += chunk.code.length;
    if (problem !== undefined) return skipped.add(problem);
    if (holdsSecret(chunk.code) || holdsSecret(chunk.comment?.text ?? '')) return skipped.add('looks like a secret');
    const side = this.#context.sideOf(this.#source, chunk.path);
    if (!rows.isNewBody(hash, side)) return skipped.add('same body seen before');
    this.#origins.set(chunk, { side, hash });
    const sentence = chunk.comment === undefined ? undefined : firstSentence(chunk.comment.text, chunk.name);
    if (sentence?.problem === undefined && sentence !== undefined) this.#descriptions.set(chunk, sentence.text);
    else if (options.kinds.includes('doc')) skipped.add(sentence?.problem ?? 'function without documentation comment');
  }

  /** Each function with its best query, each query with one function. */
  async #pairs(): Promise<Pair[]> {
    const { options, skipped, rows } = this.#context;
    const pairs: Pair[] = [];
    const answered = new Set<FunctionChunk>();
    for (const kind of options.kinds) {
      for (const { query, positive } of await this.#candidates(kind)) {
        if (answered.has(positive)) continue;
        if (!rows.isNewQuery(query, (this.#origins.get(positive) as Origin).side)) {
          skipped.add('same query seen before');
          continue;
        }
        answered.add(positive);
        pairs.push({ kind, query, positive });
      }
    }
    return pairs;
  }

  async #candidates(kind: MineKind): Promise<Omit<Pair, 'kind'>[]> {
    switch (kind) {
      case 'doc':
        return Array.from(this.#descriptions, ([positive, query]) => ({ query, positive }));
      case 'test':
        return this.#tested();
      case 'commit':
        return this.#committed();
      case 'name':
        return Array.from(this.#origins.keys()).flatMap((positive) => this.#usable(nameQuery(positive), positive));
    }
  }

  #tested(): Omit<Pair, 'kind'>[] {
    const targets = new TestTargets(this.#functions, this.#tests);
    const pairs = this.#tests.flatMap((test) => {
      const target = targets.find(test);
      if (target === undefined) this.#context.skipped.add('test of no one function');
      // One that is too short, or a copy of another, gives no row of any kind and is counted as that.
      return target !== undefined && this.#origins.has(target) ? this.#usable(testQuery(test, target), target) : [];
    });
    // The title that says most speaks for a function that has several tests.
    return pairs.toSorted((a, b) => b.query.length - a.query.length);
  }

  async #committed(): Promise<Omit<Pair, 'kind'>[]> {
    if (!this.#source.own) return [];
    const { skipped, options } = this.#context;
    const { commits, problem } = await readHistory(this.#source.directory, options.signal);
    if (problem !== undefined) skipped.add(problem);
    const targets = new CommitTargets([...this.#origins.keys()]);
    return commits.flatMap((commit) => {
      const target = targets.find(commit);
      if (target === undefined) skipped.add('commit of no one function');
      return target === undefined ? [] : this.#usable(commitQuery(commit, target), target);
    });
  }

  #usable(query: Sentence, positive: FunctionChunk): Omit<Pair, 'kind'>[] {
    if (query.problem === undefined) return [{ query: query.text, positive }];
    this.#context.skipped.add(query.problem);
    return [];
  }

  /** Where each function's negatives are found: among those of its side and of languages like its own. */
  #finders(): ReadonlyMap<FunctionChunk, NegativeFinder> {
    const groups = new Map<string, FunctionChunk[]>();
    for (const [chunk, { side }] of this.#origins) {
      const key = `${side} ${familyOf(chunk.language)}`;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [chunk]);
      else group.push(chunk);
    }
    const finders = new Map<FunctionChunk, NegativeFinder>();
    for (const group of groups.values()) {
      for (let start = 0; start < group.length; start += POOL) {
        const pool = group.slice(start, start + POOL);
        const finder = new NegativeFinder(pool, this.#descriptions, this.#context.random);
        for (const chunk of pool) finders.set(chunk, finder);
      }
    }
    return finders;
  }
}

/** A function with the hash of its body, or why it is too short or too long to be a positive or a negative. */
type Sized = { readonly chunk: FunctionChunk } & ({ readonly hash: string; readonly problem?: undefined } | { readonly problem: string; readonly hash?: undefined });

function toSized(chunk: FunctionChunk): Sized {
  if (chunk.bodyLines < MIN_BODY_LINES) return { chunk, problem: 'body too short' };
  if (chunk.code.length > MAX_CODE_CHARACTERS || chunk.code.split('\n').length > MAX_CODE_LINES) return { chunk, problem: 'body too long' };
  return { chunk, hash: normalizedFunctionHash(chunk.code, chunk.language) };
}

/** Whether one function of a file stands in the other, or is it. */
function overlaps(a: FunctionChunk, b: FunctionChunk): boolean {
  return a.startLine <= b.endLine && b.startLine <= a.endLine;
}

/** What a file has to hold for a function of it to be documented, where that is one text; for the rest, nothing. */
function commentMark(relative: string): { text: string; problem: string } | undefined {
  const { documentation } = languageRules[grammarOf(relative)!.language];
  const isBlock = documentation !== 'docstring' && documentation.line === undefined && documentation.block?.test('/**') === true;
  return isBlock ? { text: '/**', problem: 'no documentation comment' } : undefined;
}

/** Rust's tests and what only they use stand in a module of that name. */
function isInTestModule({ language, qualifiedName }: FunctionChunk): boolean {
  return language === 'rust' && qualifiedName.split('.').slice(0, -1).some((name) => /^tests?(_|$)/.test(name));
}

/** A comment that shares this much of the query's words gives it away. */
const GIVEN_AWAY = 0.5;

/** A function's code without the comments inside of it that say what the query says. */
function withoutAnswer(code: string, query: string, { language }: FunctionChunk): string {
  const wanted = new Set(codeWords(query));
  return withoutComments(code, language, (comment) => {
    const said = new Set(codeWords(comment));
    return [...wanted].filter((word) => said.has(word)).length >= GIVEN_AWAY * wanted.size;
  });
}
