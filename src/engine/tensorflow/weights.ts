import { readTensor } from '../../models/tensor-data.ts';
import type { StoredTensor } from '../../models/types.ts';
import type { Tensor, TensorFlow } from './tf.ts';

/**
 * The weights that programs use, in float32, each held once however many programs share it and freed after the last.
 */
export class SharedWeights {
  readonly #tf: TensorFlow;
  readonly #held = new Map<string, { readonly tensor: Promise<Tensor>; users: number }>();

  constructor(tf: TensorFlow) {
    this.#tf = tf;
  }

  /** The tensors, in the order asked for. Errors: NOT_FOUND, BAD_MODEL_FILE; nothing is then held. */
  async take(stored: readonly StoredTensor[]): Promise<Tensor[]> {
    const tensors = stored.map((weight) => {
      const key = keyOf(weight);
      const held = this.#held.get(key) ?? { tensor: this.#read(weight), users: 0 };
      held.users++;
      this.#held.set(key, held);
      return held.tensor;
    });
    try {
      return await Promise.all(tensors);
    } catch (error) {
      await this.release(stored);
      throw error;
    }
  }

  async release(stored: readonly StoredTensor[]): Promise<void> {
    for (const weight of stored) {
      const key = keyOf(weight);
      const held = this.#held.get(key)!;
      if (--held.users > 0) continue;
      this.#held.delete(key);
      // One that could not be read holds nothing.
      await held.tensor.then((tensor) => tensor.dispose(), () => undefined);
    }
  }

  async #read(weight: StoredTensor): Promise<Tensor> {
    return this.#tf.tensor(await readTensor(weight), weight.shape, 'float32');
  }
}

/** A place in a file: two programs may know a tensor by different names. */
function keyOf({ file, offset, byteLength, type }: StoredTensor): string {
  return JSON.stringify([file, offset, byteLength, type]);
}
