import { parameterNames, type LoraModule, type LoraParameters } from '../encoder/lora.ts';
import type { Random } from '../random.ts';

/** A Kaiming-uniform with a = sqrt(5), that is uniform within 1 / sqrt(in); B zero: PEFT's initialisation. */
export function initLora(modules: readonly LoraModule[], rank: number, random: Random): LoraParameters {
  const parameters = new Map<string, Float32Array>();
  for (const module of modules) {
    const { A, B } = parameterNames(module);
    const bound = 1 / Math.sqrt(module.inputs);
    parameters.set(A, Float32Array.from({ length: rank * module.inputs }, () => (2 * random.float() - 1) * bound));
    parameters.set(B, new Float32Array(module.outputs * rank));
  }
  return parameters;
}
