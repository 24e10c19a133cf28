import type { Random } from '../random.ts';
import { Bm25 } from '../text/bm25.ts';
import { codeWords } from '../text/words.ts';
import type { FunctionChunk } from './functions.ts';
import { isNearCopy, similarity } from './near-copy.ts';

/** A function whose own description shares this much of its words with a query would be a fair answer to it. */
const SAME_DESCRIPTION = 0.5;
/** How far down the lexical ranking the first negative is looked for; each further one, twice as far again. */
const DEPTH = 12;

/** Finds hard negatives among functions. */
export class NegativeFinder {
  readonly #functions: readonly FunctionChunk[];
  readonly #descriptions: ReadonlyMap<FunctionChunk, string>;
  readonly #random: Random;
  readonly #index: Bm25;
  readonly #words = new Map<FunctionChunk, ReadonlySet<string>>();

  /** @param descriptions what functions say of themselves, as far as they do */
  constructor(functions: readonly FunctionChunk[], descriptions: ReadonlyMap<FunctionChunk, string>, random: Random) {
    this.#functions = functions;
    this.#descriptions = descriptions;
    this.#random = random;
    this.#index = new Bm25(functions.map(({ code }) => code));
  }

  /**
   * The best BM25 hits for the query that are other functions, then any other functions; fewer than asked for where there
   * are not so many. One of the same name, around or inside of the positive, nearly a copy of it, or with a description
   * that is nearly the query, is not another: it might be as good an answer.
   */
  find(query: string, positive: FunctionChunk, count: number): FunctionChunk[] {
    const wanted = new Set(codeWords(query));
    const found = new Set<FunctionChunk>();
    const consider = (candidate: FunctionChunk): void => {
      if (found.size < count && !found.has(candidate) && this.#isOther(candidate, positive, wanted)) found.add(candidate);
    };
    for (const { index } of this.#index.search(query, DEPTH + 2 * (count - 1))) consider(this.#functions[index] as FunctionChunk);
    for (let tries = 0; tries < DEPTH * count && found.size < count && this.#functions.length > 0; tries++) {
      consider(this.#functions[this.#random.integer(this.#functions.length)] as FunctionChunk);
    }
    return [...found];
  }

  #isOther(candidate: FunctionChunk, positive: FunctionChunk, wanted: ReadonlySet<string>): boolean {
    if (codeWords(candidate.name).join(' ') === codeWords(positive.name).join(' ')) return false;
    if (candidate.path === positive.path && candidate.startLine <= positive.endLine && positive.startLine <= candidate.endLine) return false;
    const description = this.#descriptions.get(candidate);
    if (description !== undefined && similarity(new Set(codeWords(description)), wanted) >= SAME_DESCRIPTION) return false;
    return !isNearCopy(this.#wordsOf(candidate), this.#wordsOf(positive));
  }

  #wordsOf(chunk: FunctionChunk): ReadonlySet<string> {
    let words = this.#words.get(chunk);
    if (words === undefined) this.#words.set(chunk, (words = new Set(codeWords(chunk.code))));
    return words;
  }
}
