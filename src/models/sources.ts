import { stat } from 'node:fs/promises';
import { basename, dirname, extname, resolve } from 'node:path';
import { errors } from '../errors.ts';
import { DEFAULT_MODEL, resolveDefaultModel } from './default-model.ts';
import { rememberedSha256 } from './fingerprint.ts';
import { convertedGguf } from './gguf-cache.ts';
import { parseHubId, resolveHubModel } from './hub.ts';
import { WEIGHTS_FILE } from './safetensors.ts';
import type { ResolvedModel, ResolveOptions } from './types.ts';

/**
 * What `--model` names, as a checkpoint folder: the default model by its name, a folder, a `.gguf` file (converted once
 * and kept), a `.safetensors` file with its config and tokenizer beside it, or a model of the hub (`owner/name`, with
 * `@revision` if wanted). What exists on the disk comes before the hub.
 * Throws `NOT_FOUND`, `UNSUPPORTED`, `MODEL_UNAVAILABLE`, `DOWNLOAD_CORRUPT`, `CANCELLED`, or what a conversion throws.
 */
export async function resolveModel(spec: string, options: ResolveOptions = {}): Promise<ResolvedModel> {
  if (spec === DEFAULT_MODEL) return resolveDefaultModel(options);
  const path = resolve(spec);
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) return { directory: path, name: basename(path), how: `The model in ${path}.` };
  if (found) return resolveFile(path, options);
  const isFileName = ['.gguf', '.safetensors'].includes(extname(spec).toLowerCase());
  if (parseHubId(spec) && !isFileName) return resolveHubModel(spec, options);
  throw errors.notFound(
    `There is no model ${spec}: name a folder, a .gguf or .safetensors file, a model of the hub (owner/name) or ${DEFAULT_MODEL}.`,
  );
}

async function resolveFile(path: string, options: ResolveOptions): Promise<ResolvedModel> {
  const name = basename(path);
  switch (extname(path).toLowerCase()) {
    case '.gguf': {
      const sha256 = await rememberedSha256(path, options);
      const directory = await convertedGguf(path, sha256, options);
      return { directory, name, sha256, how: `${path} (SHA-256 ${sha256.slice(0, 12)}…), converted to float32 in ${directory}.` };
    }
    case '.safetensors': {
      const directory = dirname(path);
      // A shard stands for the model it belongs to; another name would leave it open which file is meant.
      if (name !== WEIGHTS_FILE && !/-\d+-of-\d+\.safetensors$/.test(name))
        throw errors.unsupported(`${path} must be called ${WEIGHTS_FILE}, with its config.json and tokenizer.json beside it.`);
      return { directory, name: basename(directory), how: `${path}, with the config and tokenizer beside it.` };
    }
    default:
      throw errors.unsupported(`${path} is neither a .gguf nor a .safetensors file: name one of those, or a folder.`);
  }
}
