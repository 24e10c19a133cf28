import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { errors } from '../errors.ts';
import { reason, writeFileAtomically } from '../files.ts';
import { parseJson } from '../models/json.ts';
import { readSafetensors, readTensor, float32Source, writeSafetensors } from '../models/safetensors.ts';
import type { DecoderConfig, Lora } from '../models/types.ts';
import { loraModules, loraTargets, parameterNames, type LoraModule, type LoraSettings } from './lora.ts';

/** A LoRA with what it was made for. */
export interface Adapter extends Lora {
  readonly modules: readonly LoraModule[];
}

export const adapterFiles = { config: 'adapter_config.json', weights: 'adapter_model.safetensors' } as const;

/** The one value that is supported. */
const only = <T extends string | boolean>(value: T) => z.literal(value, { error: `has to be ${JSON.stringify(value)}` });
const nothing = z.record(z.string(), z.never({ error: 'is not supported: every module has the rank and alpha of all' }));

/** What PEFT writes that changes the result; what we do not do has to be off. */
const configSchema = z.object({
  peft_type: only('LORA'),
  r: z.number().int().positive(),
  lora_alpha: z.number().positive(),
  lora_dropout: z.number().min(0).max(1).default(0),
  target_modules: z.array(z.string(), { error: 'has to be a list of modules, not a pattern of them' }),
  bias: only('none').default('none'),
  use_dora: only(false).default(false),
  use_rslora: only(false).default(false),
  fan_in_fan_out: only(false).default(false),
  lora_bias: only(false).default(false),
  rank_pattern: nothing.nullish(),
  alpha_pattern: nothing.nullish(),
  modules_to_save: z.null({ error: 'is not supported: modules that are trained whole have no place here' }).optional(),
});

/** PEFT's name of a parameter, by the module path of a bare decoder. */
const peftName = (parameter: string): string => `base_model.model.${parameter}.weight`;

/**
 * Opens an adapter folder as PEFT writes it, for a model of this config cut to `layers`; of as many layers as it has
 * tensors for when that is undefined.
 * Errors: NOT_FOUND, BAD_MODEL_FILE (not an adapter, of another model, not finite), UNSUPPORTED.
 */
export async function readAdapter(folder: string, config: DecoderConfig, layers?: number): Promise<Adapter> {
  const { r, lora_alpha, lora_dropout, target_modules } = await readConfig(join(folder, adapterFiles.config));
  const unknown = target_modules.find((target) => !(loraTargets as readonly string[]).includes(target));
  if (unknown !== undefined) throw errors.unsupported(`The adapter ${folder} trains ${unknown}: only ${loraTargets.join(', ')} are known.`);
  const lora: LoraSettings = { rank: r, alpha: lora_alpha, dropout: lora_dropout, targets: loraTargets.filter((target) => target_modules.includes(target)) };
  const path = join(folder, adapterFiles.weights);
  const tensors = await readSafetensors(path);
  const depth = layers ?? Math.min(config.numHiddenLayers, layersOf(tensors.keys()));
  const modules = loraModules(config, depth, lora.targets);
  const byName = new Map([...tensors.values()].map((tensor) => [tensor.name.replace(/^base_model\.model\.(model\.)?/, 'base_model.model.'), tensor]));
  const parameters = new Map<string, Float32Array>();
  for (const module of modules) {
    const { A, B } = parameterNames(module);
    for (const [name, shape] of [[A, [r, module.inputs]], [B, [module.outputs, r]]] as const) {
      const tensor = byName.get(peftName(name));
      if (tensor === undefined || tensor.shape.join() !== shape.join())
        throw errors.badModelFile(`${path} does not hold ${peftName(name)} as [${shape.join(', ')}]: the adapter belongs to another model.`);
      const data = await readTensor(tensor);
      if (!data.every(Number.isFinite)) throw errors.badModelFile(`${path} holds numbers in ${peftName(name)} that are not finite.`);
      parameters.set(name, data);
    }
  }
  const extra = byName.size - parameters.size;
  if (extra > 0) throw errors.badModelFile(`${path} holds ${extra} tensors that a model of ${depth} layers has no place for: the adapter belongs to another model.`);
  return { lora, modules, parameters };
}

/** Writes an adapter as PEFT does into a folder that exists; `base` is where PEFT finds its model. Errors: WRITE_FAILED. */
export async function writeAdapter(folder: string, { modules, parameters, lora }: Adapter, base: string): Promise<void> {
  const sources = modules.flatMap((module) => {
    const { A, B } = parameterNames(module);
    return [
      float32Source(peftName(A), [lora.rank, module.inputs], parameters.get(A)!),
      float32Source(peftName(B), [module.outputs, lora.rank], parameters.get(B)!),
    ];
  });
  await writeSafetensors(join(folder, adapterFiles.weights), sources);
  await writeFileAtomically(join(folder, adapterFiles.config), `${JSON.stringify(adapterConfig(lora, base), null, 2)}\n`);
}

/** adapter_config.json, with every key that PEFT needs to open it. */
function adapterConfig({ rank, alpha, dropout, targets }: LoraSettings, base: string): Record<string, unknown> {
  return {
    base_model_name_or_path: base,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: alpha,
    lora_dropout: dropout,
    modules_to_save: null,
    peft_type: 'LORA',
    r: rank,
    target_modules: [...targets],
    task_type: 'FEATURE_EXTRACTION',
    use_dora: false,
    use_rslora: false,
  };
}

/** How many layers tensors of these names are of. */
function layersOf(names: Iterable<string>): number {
  let layers = 0;
  for (const name of names) layers = Math.max(layers, Number(/\.layers\.(\d+)\./.exec(name)?.[1] ?? -1) + 1);
  return layers;
}

async function readConfig(path: string): Promise<z.infer<typeof configSchema>> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw errors.notFound(`${path} cannot be read: ${reason(error)}.`, error);
  });
  let json: unknown;
  try {
    json = parseJson(text);
  } catch (error) {
    throw errors.badModelFile(`${path} is not JSON: ${(error as Error).message}.`, error);
  }
  const result = configSchema.safeParse(json);
  if (result.success) return result.data;
  const { path: place = [], message = '' } = result.error.issues[0] ?? {};
  throw errors.unsupported(`${path} asks for something that is not a plain LoRA: ${place.join('.')} ${message}.`);
}
