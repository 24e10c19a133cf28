import type { LayerVectors } from './layer-loss.ts';

/**
 * Takes a mean off every batch that the batch itself has no part in, so that a calibrated loss is not flattered by its
 * own texts: off each batch that of the batches before it, off the first that of all the others. The mean is the middle
 * between that of queries and that of documents at each layer, as in a calibration of kind `mean`. One batch is held.
 */
export class Centring {
  #first: LayerVectors | undefined;
  #batches = 0;
  /** Sums over the batches of each batch's middle, [layers, size]. */
  #sums = new Float64Array(0);

  /** The batch less its mean; undefined for the first, which has to wait for others. */
  add(batch: LayerVectors): LayerVectors | undefined {
    const centred = this.#first === undefined ? undefined : takeOff(batch, this.#sums, this.#batches);
    if (this.#first === undefined) {
      this.#first = batch;
      this.#sums = new Float64Array(batch.shape.layers * batch.shape.size);
    }
    middles(batch).forEach((x, i) => (this.#sums[i]! += x));
    this.#batches++;
    return centred;
  }

  /** The first batch less the mean of the others; undefined where there were none. */
  finish(): LayerVectors | undefined {
    if (this.#first === undefined || this.#batches < 2) return undefined;
    const own = middles(this.#first);
    return takeOff(this.#first, this.#sums.map((sum, i) => sum - own[i]!), this.#batches - 1);
  }
}

/** The middle between the mean of queries and that of documents, [layers, size]. */
function middles({ queries, documents, shape: { layers, rows, candidates, size } }: LayerVectors): Float64Array {
  const middle = new Float64Array(layers * size);
  for (const [vectors, count] of [[queries, rows], [documents, candidates]] as const) {
    for (let i = 0; i < vectors.length; i++) middle[Math.floor(i / (count * size)) * size + (i % size)]! += vectors[i]! / (2 * count);
  }
  return middle;
}

function takeOff({ queries, documents, shape }: LayerVectors, sums: Float64Array, batches: number): LayerVectors {
  const { rows, candidates, size } = shape;
  const centred = (vectors: Float32Array, count: number): Float32Array =>
    vectors.map((x, i) => x - sums[Math.floor(i / (count * size)) * size + (i % size)]! / batches);
  return { queries: centred(queries, rows), documents: centred(documents, candidates), shape };
}
