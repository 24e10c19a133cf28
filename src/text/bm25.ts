import { codeWords } from './words.ts';

/** A document of a ranking: its index in the list that was ranked, and its score, higher is better. */
export interface Ranked {
  readonly index: number;
  readonly score: number;
}

const K1 = 1.2;
const B = 0.75;

interface Postings {
  readonly documents: number[];
  readonly counts: number[];
}

/**
 * An in-memory BM25 index over code-aware words (`codeWords`), k1 1.2 and b 0.75 as Lucene has them
 * (Robertson and Zaragoza 2009, with Lucene's idf, which is never negative):
 *
 *   score(q, d) = Σ over the words t of q: ln(1 + (N - n_t + ½) / (n_t + ½)) · f / (f + k1 · (1 - b + b · |d| / avg|d|))
 *
 * A word that a query repeats counts each time.
 */
export class Bm25 {
  readonly #postings = new Map<string, Postings>();
  readonly #norms: Float64Array; // k1 · (1 - b + b · |d| / avg|d|), [documents]

  constructor(documents: readonly string[]) {
    const lengths = documents.map((document, index) => this.#add(document, index));
    const average = lengths.reduce((sum, length) => sum + length, 0) / Math.max(1, lengths.length);
    this.#norms = Float64Array.from(lengths, (length) => K1 * (1 - B + (average > 0 ? (B * length) / average : 0)));
  }

  /** The documents that share a word with the query, best first, ties by index; at most `top`. */
  search(query: string, top: number): Ranked[] {
    const scores = new Map<number, number>();
    for (const word of codeWords(query)) {
      const postings = this.#postings.get(word);
      if (postings === undefined) continue;
      const n = postings.documents.length;
      const idf = Math.log(1 + (this.#norms.length - n + 0.5) / (n + 0.5));
      for (let i = 0; i < n; i++) {
        const index = postings.documents[i] as number;
        const count = postings.counts[i] as number;
        const gain = (idf * count) / (count + (this.#norms[index] as number));
        scores.set(index, (scores.get(index) ?? 0) + gain);
      }
    }
    const ranked = Array.from(scores, ([index, score]) => ({ index, score }));
    return ranked.sort((a, b) => b.score - a.score || a.index - b.index).slice(0, top);
  }

  #add(document: string, index: number): number {
    const counts = new Map<string, number>();
    const words = codeWords(document);
    for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
    for (const [word, count] of counts) {
      let postings = this.#postings.get(word);
      if (postings === undefined) this.#postings.set(word, (postings = { documents: [], counts: [] }));
      postings.documents.push(index);
      postings.counts.push(count);
    }
    return words.length;
  }
}
