import type { LayerVectors } from './layer-loss.ts';

/**
 * Takes means off every batch that the batch itself has no part in, so that a calibrated loss is not flattered by its own
 * texts: off each batch those of the batches before it, off the first those of all the others. The mean of queries comes
 * off queries and that of documents off documents, layer by layer, as in a calibration of kind `router`. One batch is
 * held.
 */
export class Centring {
  #first: LayerVectors | undefined;
  #batches = 0;
  /** Over the batches, of each batch's means [layers, size]. */
  #sums: Means = { queries: new Float64Array(0), documents: new Float64Array(0) };

  /** The batch less the means; undefined for the first, which has to wait for others. */
  add(batch: LayerVectors): LayerVectors | undefined {
    const own = meansOf(batch);
    const centred = this.#first === undefined ? undefined : takeOff(batch, this.#sums, this.#batches);
    this.#sums = this.#first === undefined ? own : combine(this.#sums, own, (sum, x) => sum + x);
    this.#first ??= batch;
    this.#batches++;
    return centred;
  }

  /** The first batch less the means of the others; undefined where there were none. */
  finish(): LayerVectors | undefined {
    if (this.#first === undefined || this.#batches < 2) return undefined;
    const others = combine(this.#sums, meansOf(this.#first), (sum, x) => sum - x);
    return takeOff(this.#first, others, this.#batches - 1);
  }
}

/** [layers, size] each. */
interface Means {
  readonly queries: Float64Array;
  readonly documents: Float64Array;
}

function combine(a: Means, b: Means, by: (x: number, y: number) => number): Means {
  const both = (x: Float64Array, y: Float64Array): Float64Array => x.map((value, i) => by(value, y[i]!));
  return { queries: both(a.queries, b.queries), documents: both(a.documents, b.documents) };
}

function meansOf({ queries, documents, shape: { layers, rows, candidates, size } }: LayerVectors): Means {
  const mean = (vectors: Float32Array, count: number): Float64Array => {
    const means = new Float64Array(layers * size);
    for (let i = 0; i < vectors.length; i++) means[placeOf(i, count, size)]! += vectors[i]! / count;
    return means;
  };
  return { queries: mean(queries, rows), documents: mean(documents, candidates) };
}

function takeOff({ queries, documents, shape }: LayerVectors, sums: Means, batches: number): LayerVectors {
  const { rows, candidates, size } = shape;
  const centred = (vectors: Float32Array, sum: Float64Array, count: number): Float32Array =>
    vectors.map((x, i) => x - sum[placeOf(i, count, size)]! / batches);
  return { queries: centred(queries, sums.queries, rows), documents: centred(documents, sums.documents, candidates), shape };
}

/** Where in [layers, size] a number of [layers, count, size] belongs. */
function placeOf(index: number, count: number, size: number): number {
  return Math.floor(index / (count * size)) * size + (index % size);
}
