import type { Engine, Executable } from '../engine/engine.ts';
import { contrastiveLoss } from '../encoder/loss.ts';

type Inputs = 'queries' | 'documents' | 'target' | 'scale';

/**
 * The pooled embeddings of one batch: queries [layers,rows,size] and documents [layers,candidates,size], row-major; the
 * document at place i answers query i, all others are negatives.
 */
export interface LayerVectors {
  readonly queries: Float32Array;
  readonly documents: Float32Array;
  readonly shape: { readonly layers: number; readonly rows: number; readonly candidates: number; readonly size: number };
}

/** Computes the contrastive loss of one batch at every layer from its pooled embeddings. */
export class LayerLosses {
  readonly #executable: Executable<Inputs, 'losses'>;

  private constructor(executable: Executable<Inputs, 'losses'>) {
    this.#executable = executable;
  }

  static async open(engine: Engine): Promise<LayerLosses> {
    const executable = await engine.compile<Inputs, 'losses'>({
      inputs: {
        queries: { type: 'float32', shape: ['L', 'B', 'D'] },
        documents: { type: 'float32', shape: ['L', 'C', 'D'] },
        target: { type: 'float32', shape: ['B', 'C'] },
        scale: { type: 'float32', shape: [1] },
      },
      weights: new Map(),
      build: (ops, { queries, documents, target, scale }) => ({
        losses: contrastiveLoss(ops, queries, documents, target, scale),
      }),
    });
    return new LayerLosses(executable);
  }

  /** The mean over the queries, a number a layer. */
  async compute({ queries, documents, shape }: LayerVectors, scale: number): Promise<number[]> {
    const { layers, rows, candidates, size } = shape;
    const target = new Float32Array(rows * candidates);
    for (let row = 0; row < rows; row++) target[row * candidates + row] = 1;
    const { losses } = await this.#executable.run({
      queries: { type: 'float32', data: queries, shape: [layers, rows, size] },
      documents: { type: 'float32', data: documents, shape: [layers, candidates, size] },
      target: { type: 'float32', data: target, shape: [rows, candidates] },
      scale: { type: 'float32', data: Float32Array.of(scale), shape: [1] },
    });
    return Array.from({ length: layers }, (_, layer) => {
      const own = losses.data.subarray(layer * rows, (layer + 1) * rows);
      return own.reduce((sum, x) => sum + x, 0) / rows;
    });
  }

  async dispose(): Promise<void> {
    await this.#executable.dispose();
  }
}
