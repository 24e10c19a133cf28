import type { Random } from '../random.ts';
import { Bm25 } from '../text/bm25.ts';
import { codeWords } from '../text/words.ts';
import type { FunctionChunk } from './functions.ts';

/** Bodies that share this much of their words (Jaccard index) say the same thing. */
const NEAR_COPY = 0.75;
/** How far down the lexical ranking a negative is looked for. */
const DEPTH = 12;

/** Finds hard negatives among the functions of one package. */
export class NegativeFinder {
  readonly #functions: readonly FunctionChunk[];
  readonly #random: Random;
  readonly #index: Bm25;
  readonly #words = new Map<FunctionChunk, Set<string>>();

  constructor(functions: readonly FunctionChunk[], random: Random) {
    this.#functions = functions;
    this.#random = random;
    this.#index = new Bm25(functions.map(({ code }) => code));
  }

  /**
   * The best BM25 hit for the query that is another function; where there is none, any other function; undefined where
   * the package has none. One of the same name, around or inside of the positive, or nearly a copy is not another.
   */
  find(query: string, positive: FunctionChunk): FunctionChunk | undefined {
    for (const { index } of this.#index.search(query, DEPTH)) {
      const candidate = this.#functions[index] as FunctionChunk;
      if (this.#isOther(candidate, positive)) return candidate;
    }
    for (let tries = 0; tries < DEPTH && this.#functions.length > 0; tries++) {
      const candidate = this.#functions[this.#random.integer(this.#functions.length)] as FunctionChunk;
      if (this.#isOther(candidate, positive)) return candidate;
    }
    return undefined;
  }

  #isOther(candidate: FunctionChunk, positive: FunctionChunk): boolean {
    if (candidate.name === positive.name) return false;
    if (candidate.path === positive.path && candidate.startLine <= positive.endLine && positive.startLine <= candidate.endLine) return false;
    const [a, b] = [this.#wordsOf(candidate), this.#wordsOf(positive)];
    let shared = 0;
    for (const word of a) if (b.has(word)) shared++;
    return shared < NEAR_COPY * (a.size + b.size - shared);
  }

  #wordsOf(chunk: FunctionChunk): Set<string> {
    let words = this.#words.get(chunk);
    if (words === undefined) this.#words.set(chunk, (words = new Set(codeWords(chunk.code))));
    return words;
  }
}
