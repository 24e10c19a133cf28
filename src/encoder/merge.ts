import { CHUNK_BYTES, readTensor, type TensorSource } from '../models/tensor-data.ts';
import type { Lora, StoredTensor } from '../models/types.ts';
import { parameterNames } from './lora.ts';

/**
 * The weight of a projection with its LoRA in it: W + (alpha / rank) B A, computed in float64 and rounded once to
 * float32. Not to the 16 bits that W may be stored in: a LoRA changes a weight by less than bfloat16 tells apart, so that
 * rounding there would throw most of the training away.
 *
 * `module` is the projection's name without the checkpoint's prefix, W [out,in].
 */
export function mergedSource(stored: StoredTensor, module: string, { lora: { rank, alpha }, parameters }: Lora): TensorSource {
  const names = parameterNames({ name: module });
  const [A, B] = [parameters.get(names.A)!, parameters.get(names.B)!];
  const [outputs, inputs] = stored.shape as [number, number];
  const scale = alpha / rank;
  return {
    name: stored.name,
    type: 'F32',
    shape: stored.shape,
    async *chunks() {
      const weight = await readTensor(stored);
      const rows = Math.max(1, Math.floor(CHUNK_BYTES / 4 / inputs));
      const sum = new Float64Array(inputs);
      for (let start = 0; start < outputs; start += rows) {
        const end = Math.min(outputs, start + rows);
        for (let row = start; row < end; row++) {
          sum.fill(0);
          for (let r = 0; r < rank; r++) {
            const factor = scale * B[row * rank + r]!;
            for (let i = 0; i < inputs; i++) sum[i]! += factor * A[r * inputs + i]!;
          }
          for (let i = 0; i < inputs; i++) weight[row * inputs + i] = weight[row * inputs + i]! + sum[i]!;
        }
        yield new Uint8Array(weight.buffer, weight.byteOffset + 4 * start * inputs, 4 * (end - start) * inputs);
      }
    },
  };
}
