import { takeOff } from '../encoder/calibration.ts';
import { errors } from '../errors.ts';
import type { Ranked } from '../text/bm25.ts';

/**
 * Ranks all documents for each query by cosine similarity, exactly: best first, ties by index, at most `top`. A zero
 * vector is as near to everything as to nothing, cosine 0.
 *
 * @param queries Q vectors of one length D
 * @param documents N vectors of length D
 * @throws NOT_FINITE where a vector holds NaN or infinity: any order of such a ranking would be a lie
 */
export function rankByCosine(queries: readonly Float32Array[], documents: readonly Float32Array[], top: number): Ranked[][] {
  const norms = Float64Array.from(documents, norm); // [N]
  return queries.map((query) => {
    const queryNorm = norm(query);
    const scores = Float64Array.from(documents, (document, i) => dot(query, document) / (queryNorm * (norms[i] as number) || 1)); // [N]
    const order = Uint32Array.from(scores, (_, index) => index).sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b);
    return Array.from(order.subarray(0, top), (index) => ({ index, score: scores[index] as number }));
  });
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

function norm(vector: Float32Array): number {
  const length = Math.sqrt(dot(vector, vector));
  if (!Number.isFinite(length)) throw errors.notFinite('An embedding holds NaN or infinity, so nothing can be ranked by it.');
  return length;
}

/** In float64, which no float32 overflows; four sums at a time, because one would wait for itself. */
function dot(a: Float32Array, b: Float32Array): number {
  const whole = a.length - (a.length % 4);
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  for (let i = 0; i < whole; i += 4) {
    s0 += a[i]! * b[i]!;
    s1 += a[i + 1]! * b[i + 1]!;
    s2 += a[i + 2]! * b[i + 2]!;
    s3 += a[i + 3]! * b[i + 3]!;
  }
  for (let i = whole; i < a.length; i++) s0 += a[i]! * b[i]!;
  return s0 + s1 + (s2 + s3);
}
