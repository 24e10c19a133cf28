import type { InputSpec, Ops, TensorData } from '../engine/ops.ts';
import type { DecoderConfig, LoraParameters, LoraSettings, LoraTarget } from '../models/types.ts';
import { families } from './family.ts';
import type { Adapt } from './transformer.ts';

export type { LoraParameters, LoraSettings, LoraTarget };

export const loraTargets = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const satisfies readonly LoraTarget[];

/** A projection with a LoRA. */
export interface LoraModule {
  /** Without the checkpoint's prefix: "layers.0.self_attn.q_proj". */
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  /** Modules that read the same tensor share its dropout; this names the tensor. */
  readonly site: string;
}

/** The names of a module's two parameters, as a program's inputs have them. */
export const parameterNames = ({ name }: Pick<LoraModule, 'name'>): { A: string; B: string } => ({ A: `${name}.lora_A`, B: `${name}.lora_B` });

/** The projections of the first layers that the targets name, in the order in which the model applies them. */
export function loraModules(config: DecoderConfig, layers: number, targets: readonly LoraTarget[]): LoraModule[] {
  const { hiddenSize, intermediateSize, headDim, numAttentionHeads, numKeyValueHeads } = config;
  const queries = numAttentionHeads * headDim;
  const keys = numKeyValueHeads * headDim;
  const modules: LoraModule[] = [];
  for (let layer = 0; layer < layers; layer++) {
    const names = families[config.family].layer(layer);
    const all: LoraModule[] = [
      { name: names.query, inputs: hiddenSize, outputs: queries, site: `${layer}.attention` },
      { name: names.key, inputs: hiddenSize, outputs: keys, site: `${layer}.attention` },
      { name: names.value, inputs: hiddenSize, outputs: keys, site: `${layer}.attention` },
      { name: names.attentionOutput, inputs: queries, outputs: hiddenSize, site: `${layer}.mixed` },
      { name: names.gate, inputs: hiddenSize, outputs: intermediateSize, site: `${layer}.mlp` },
      { name: names.up, inputs: hiddenSize, outputs: intermediateSize, site: `${layer}.mlp` },
      { name: names.down, inputs: intermediateSize, outputs: hiddenSize, site: `${layer}.gated` },
    ];
    modules.push(...all.filter(({ name }) => targets.some((target) => name.endsWith(`.${target}`))));
  }
  return modules;
}

/** The inputs of a program that takes the adapter as tensors. */
export function loraInputs(modules: readonly LoraModule[], rank: number): Record<string, InputSpec> {
  return Object.fromEntries(
    modules.flatMap((module): [string, InputSpec][] => {
      const { A, B } = parameterNames(module);
      return [
        [A, { type: 'float32', shape: [rank, module.inputs] }],
        [B, { type: 'float32', shape: [module.outputs, rank] }],
      ];
    }),
  );
}

/** What those inputs are for this adapter. */
export function loraFeeds(modules: readonly LoraModule[], rank: number, parameters: LoraParameters): Record<string, TensorData> {
  return Object.fromEntries(
    modules.flatMap((module): [string, TensorData][] => {
      const { A, B } = parameterNames(module);
      return [
        [A, { type: 'float32', data: parameters.get(A)!, shape: [rank, module.inputs] }],
        [B, { type: 'float32', data: parameters.get(B)!, shape: [module.outputs, rank] }],
      ];
    }),
  );
}

export interface LoraComputation<T> {
  /** The tensor at a site with a step's dropout; without it there is none. */
  readonly dropped?: (site: string, x: T) => T;
  /** x times a frozen weight transposed; `linear`, with the adapter in the weight, where left out. */
  readonly frozen?: (x: T, weight: T) => T;
}

/**
 * The adapter in a model: (W + (alpha / rank) B A) x at each of its modules, or W x + (alpha / rank) B A x where the input
 * of the adapter has dropout or the frozen product is another.
 */
export function loraAdapt<T>(
  ops: Ops<T>,
  modules: readonly LoraModule[],
  { rank, alpha }: Pick<LoraSettings, 'rank' | 'alpha'>,
  parameter: (name: string) => T,
  { dropped, frozen }: LoraComputation<T> = {},
): Adapt<T> {
  const byName = new Map(modules.map((module) => [module.name, module]));
  return (name, x, weight) => {
    const module = byName.get(name);
    if (module === undefined) return frozen?.(x, weight);
    const [A, B] = Object.values(parameterNames(module)).map(parameter) as [T, T];
    if (dropped === undefined && frozen === undefined) return ops.adaptedLinear(x, weight, A, B, alpha / rank);
    const low = ops.matmul(dropped?.(module.site, x) ?? x, A, { transposeB: true }); // [1,T,rank]
    return ops.add(frozen?.(x, weight) ?? ops.linear(x, weight), ops.matmul(low, B, { transposeB: true, alpha: alpha / rank }));
  };
}
