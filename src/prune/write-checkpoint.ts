import { copyFile, mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Calibration } from '../encoder/calibration.ts';
import { writeAdapter } from '../encoder/adapter.ts';
import { loraModules } from '../encoder/lora.ts';
import { mergedSource } from '../encoder/merge.ts';
import { errors } from '../errors.ts';
import { decoderTensors, findPrefix } from '../models/config.ts';
import { finiteSource } from '../models/finite.ts';
import { WEIGHTS_FILE } from '../models/safetensors.ts';
import { storedSource, writeSafetensors, type TensorSource } from '../models/tensor-data.ts';
import type { Checkpoint } from '../models/types.ts';
import { writeCalibrationWeights } from './calibration-modules.ts';
import { jsonFile, type CheckpointFile } from './checkpoint-file.ts';
import { checkpointTexts } from './checkpoint-texts.ts';
import { adapterFolder, type CheckpointEncoderSettings, type Manifest } from './manifest.ts';

/** What the model of a checkpoint folder is made of. */
export interface ModelContent {
  /** The model whose first layers are kept, with the adapter that goes into or beside its weights. */
  readonly checkpoint: Checkpoint;
  /** Says how many layers are kept, and where the adapter goes. */
  readonly manifest: Manifest;
}

/** What a checkpoint folder is made of. */
export interface CheckpointContent extends ModelContent {
  readonly calibration: Calibration | undefined;
}

export interface WriteOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

/** Files of a tokenizer that other programs may want beside tokenizer.json; copied as they are. */
const tokenizerFiles = ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json'];

/**
 * Fills an empty folder with a model's first layers (paper, section 3: the last layers go, embeddings and final norm
 * stay) as a Hugging Face folder that transformers and sentence-transformers open. Weights are copied byte for byte in the
 * type they are stored in, those that an adapter is merged into in float32, and all are checked to be finite.
 *
 * Errors: NOT_FINITE, WRITE_FAILED, CANCELLED.
 */
export async function writeCheckpointFiles(folder: string, content: CheckpointContent, options: WriteOptions): Promise<void> {
  const { checkpoint, manifest, calibration } = content;
  await writeModelFiles(folder, content, options);
  if (manifest.adapter !== null) await writeKeptAdapter(folder, content);
  if (calibration !== undefined) await writeCalibrationWeights(folder, calibration);
  await writeTexts(folder, await checkpointTexts(checkpoint, manifest));
}

/**
 * The part of those files that transformers reads: weights, config and tokenizer. Errors: NOT_FINITE, WRITE_FAILED,
 * CANCELLED.
 */
export async function writeModelFiles(folder: string, content: ModelContent, { signal, onProgress }: WriteOptions): Promise<void> {
  await writeSafetensors(join(folder, WEIGHTS_FILE), weightSources(content), {
    signal,
    onProgress: ({ doneBytes, totalBytes }) => onProgress?.(doneBytes, totalBytes ?? doneBytes),
  });
  for (const file of tokenizerFiles) {
    const source = join(content.checkpoint.directory, file);
    if (await stat(source).then((entry) => entry.isFile(), () => false)) await copyFile(source, join(folder, file));
  }
  await writeTexts(folder, [configFile(content)]);
}

/** Text files into a folder, with the folders that they stand in. */
export async function writeTexts(folder: string, files: readonly CheckpointFile[]): Promise<void> {
  for (const { path, content } of files) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}

/** A checkpoint that could encode nothing is not made. Errors: USAGE. */
export function checkEncoderSettings({ config, tokenizer }: Checkpoint, { maxLength, instruction, separator }: CheckpointEncoderSettings): void {
  if (maxLength > config.maxPositionEmbeddings)
    throw errors.usage(`A length of ${maxLength} tokens is not possible: the model reads 1 to ${config.maxPositionEmbeddings}.`);
  if (instruction === undefined) return;
  const { ids } = tokenizer.tokenize(instruction + separator, { maxTokens: maxLength });
  if (ids.length >= maxLength)
    throw errors.usage(`The instruction alone fills the ${maxLength} tokens that are read: shorten it or raise --max-length.`);
}

/** Whether the adapter is part of the weights that are written. */
function isMerged({ checkpoint, manifest }: ModelContent): boolean {
  return checkpoint.adapter !== undefined && manifest.adapter?.merged !== false;
}

/** The tensors of the first layers, the embedding and the final norm; an output matrix has no use in an encoder. */
function weightSources(content: ModelContent): TensorSource[] {
  const { checkpoint, manifest: { layers } } = content;
  const { adapter, config, tensors } = checkpoint;
  const prefix = findPrefix(tensors);
  const merged = new Set(adapter !== undefined && isMerged(content) ? loraModules(config, layers, adapter.lora.targets).map((module) => `${module.name}.weight`) : []);
  return [...decoderTensors({ ...config, numHiddenLayers: layers })].map(({ name }) => {
    const stored = tensors.get(prefix + name)!;
    return finiteSource(merged.has(name) ? mergedSource(stored, name.slice(0, -'.weight'.length), adapter!) : storedSource(stored));
  });
}

async function writeKeptAdapter(folder: string, { checkpoint: { adapter, config, name }, manifest: { layers } }: ModelContent): Promise<void> {
  const { lora, parameters } = adapter!;
  const path = join(folder, adapterFolder);
  await mkdir(path);
  await writeAdapter(path, { lora, parameters, modules: loraModules(config, layers, lora.targets) }, name);
}

/**
 * The config of the cut model: fewer layers, no output matrix, no code of others, and the attention its vectors need
 * (transformers reads `is_causal` from 5.2 on). Merged weights say that they are float32, so that transformers does not
 * round them back.
 */
export function configFile(content: ModelContent): CheckpointFile {
  const { checkpoint: { config }, manifest: { encoder, layers } } = content;
  const { auto_map: _, is_causal: __, layer_types: layerTypes, ...kept } = config.raw;
  // The name of the key has changed in transformers, and a config may have either.
  const float32 = { torch_dtype: 'float32', ...('dtype' in kept ? { dtype: 'float32' } : {}) };
  return jsonFile('config.json', {
    ...kept,
    ...(isMerged(content) ? float32 : {}),
    architectures: ['LlamaModel'],
    num_hidden_layers: layers,
    ...(encoder.attention === 'bidirectional' ? { is_causal: false } : {}),
    ...(Array.isArray(layerTypes) ? { layer_types: layerTypes.slice(0, layers) } : {}),
  });
}
