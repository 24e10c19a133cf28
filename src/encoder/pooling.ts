import type { Pooling } from './settings.ts';

/**
 * Writes the weight of each token of one text into `weights` from `offset` on, so that pooling is a matrix product for
 * every mode (LLM2Vec and the paper's reference code: weight i / (n(n+1)/2) for the i-th of n pooled tokens, counted
 * from 1 at the first one pooled).
 */
export function poolingWeights(pooled: Uint8Array, mode: Pooling, weights: Float32Array, offset: number): void {
  const count = pooled.reduce((sum, flag) => sum + flag, 0);
  switch (mode) {
    case 'first_token':
      weights[offset] = 1;
      return;
    case 'last_token':
      weights[offset + pooled.lastIndexOf(1)] = 1;
      return;
    case 'mean':
      pooled.forEach((flag, i) => (weights[offset + i] = flag / count));
      return;
    case 'weighted_mean': {
      const total = (count * (count + 1)) / 2;
      let rank = 0;
      pooled.forEach((flag, i) => {
        rank += flag;
        weights[offset + i] = (flag * rank) / total;
      });
    }
  }
}
