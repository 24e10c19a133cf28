import { takeOff } from '../encoder/calibration.ts';
import { errors } from '../errors.ts';
import type { Ranked } from '../text/bm25.ts';
import { dot } from '../dot.ts';

/** Ranks documents by cosine similarity, for one query after the other. */
export class CosineRanking {
  readonly #documents: readonly Float32Array[];
  readonly #norms: Float64Array; // [N]

  /**
   * @param documents N vectors of one length
   * @throws NOT_FINITE where a vector holds NaN or infinity: any order of such a ranking would be a lie
   */
  constructor(documents: readonly Float32Array[]) {
    this.#documents = documents;
    this.#norms = Float64Array.from(documents, norm);
  }

  /** All documents, exactly: best first, ties by index, at most `top`. Throws NOT_FINITE. */
  rank(query: Float32Array, top: number): Ranked[] {
    const queryNorm = norm(query);
    const scores = Float64Array.from(this.#documents, (document, i) => cosineOf(dot(query, document), queryNorm, this.#norms[i]!)); // [N]
    const order = Uint32Array.from(scores, (_, index) => index).sort((a, b) => scores[b]! - scores[a]! || a - b);
    return Array.from(order.subarray(0, top), (index) => ({ index, score: scores[index]! }));
  }
}

/** Ranks all documents for each query, as `CosineRanking` does. */
export function rankByCosine(queries: readonly Float32Array[], documents: readonly Float32Array[], top: number): Ranked[][] {
  const ranking = new CosineRanking(documents);
  return queries.map((query) => ranking.rank(query, top));
}

/** The cosine of two vectors; 0 where one is zero: that is as near to everything as to nothing. Throws NOT_FINITE. */
export function cosine(a: Float32Array, b: Float32Array): number {
  return cosineOf(dot(a, b), norm(a), norm(b));
}

/**
 * Takes the vectors' mean off each: an untrained decoder's vectors all point roughly one way, and what tells them apart
 * is what is left.
 *
 * @param vectors N vectors of one length D
 */
export function subtractMean(vectors: readonly Float32Array[]): Float32Array[] {
  const mean = new Float64Array(vectors[0]?.length ?? 0); // [D]
  for (const vector of vectors) for (let i = 0; i < mean.length; i++) mean[i]! += (vector[i] as number) / vectors.length;
  return takeOff(vectors, mean);
}

function cosineOf(product: number, normA: number, normB: number): number {
  return product / (normA * normB || 1);
}

function norm(vector: Float32Array): number {
  const length = Math.sqrt(dot(vector, vector));
  if (!Number.isFinite(length)) throw errors.notFinite('An embedding holds NaN or infinity, so nothing can be compared by it.');
  return length;
}
