import { bootstrapCut, chooseCut, meanAndError } from './choose.ts';
import type { CutCurve, LayerLoss } from './curve.ts';

/** The losses of the batches measured so far, at several scales, and the curve they make. */
export class LossTable {
  /** By scale: a row a batch, a number a layer. */
  readonly #byScale: ReadonlyMap<number, number[][]>;

  constructor(scales: readonly number[]) {
    this.#byScale = new Map(scales.map((scale) => [scale, []]));
  }

  /** Adds a batch, whose losses by layer `measure` gives at a scale. */
  async add(measure: (scale: number) => Promise<number[]>): Promise<void> {
    for (const [scale, losses] of this.#byScale) losses.push(await measure(scale));
  }

  get isFinite(): boolean {
    return [...this.#byScale.values()].every((losses) => losses.flat().every(Number.isFinite));
  }

  /** The losses at one of the scales, with their standard errors. */
  layers(scale: number): LayerLoss[] {
    const { losses, stderr } = meanAndError(this.#byScale.get(scale)!);
    return losses.map((loss, i) => ({ layer: i + 1, loss, stderr: stderr[i]! }));
  }

  /** The cuts at one of the scales, how sure they are, and what every scale says. */
  curve(scale: number, seed: number): CutCurve {
    const scales = Object.fromEntries(
      [...this.#byScale].map(([at, batchLosses]) => {
        const { losses, stderr } = meanAndError(batchLosses);
        return [String(at), { ...chooseCut(losses), losses, stderr }];
      }),
    );
    const { small, large } = scales[String(scale)]!;
    return { layers: this.layers(scale), small, large, confidence: bootstrapCut(this.#byScale.get(scale)!, seed), scales };
  }
}
