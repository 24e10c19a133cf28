import type { Ops } from '../engine/ops.ts';

/**
 * The contrastive loss of each query over in-batch and hard negatives (InfoNCE with cosine similarity, as the paper's
 * section 3.1 and its reference code): -log softmax(scale · cos(q, documents)) at the query's own document.
 *
 * queries [...,B,D], documents [...,C,D] with C >= B, target [B,C] with a 1 at each query's document and 0 elsewhere,
 * scale [1]; `bias` [B,C] is added to the scaled scores, a large negative number where a document is no negative of a
 * query. Gives [...,B], in nats.
 */
export function contrastiveLoss<T>(ops: Ops<T>, queries: T, documents: T, target: T, scale: T, bias?: T): T {
  const unit = (x: T): T => ops.div(x, ops.norm(x));
  const cosine = ops.matmul(unit(queries), unit(documents), { transposeB: true }); // [...,B,C]
  const scores = ops.mul(cosine, scale);
  const logProbabilities = ops.logSoftmax(bias === undefined ? scores : ops.add(scores, bias)); // [...,B,C]
  return ops.scale(ops.sum(ops.mul(logProbabilities, target)), -1); // [...,B]
}
