import { copyFile, stat, writeFile } from 'node:fs/promises';
import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Attention } from '../encoder/settings.ts';
import { errors } from '../errors.ts';
import { writeFolderAtomically } from '../files.ts';
import { decoderTensors, findPrefix } from '../models/config.ts';
import { finiteSource } from '../models/finite.ts';
import { WEIGHTS_FILE } from '../models/safetensors.ts';
import { float32Source, storedSource, writeSafetensors, type TensorSource } from '../models/tensor-data.ts';
import type { Checkpoint } from '../models/types.ts';
import { createdBy } from '../version.ts';
import { layersAfterPercent } from './choose.ts';
import type { LossCurve } from './curve.ts';
import type { CheckpointSummary, Depth } from './job.ts';
import { calibrationFile, calibrationTensors, manifestFile, readManifest, type CheckpointEncoderSettings, type Manifest } from './manifest.ts';
import type { LayerMeans } from './profile.ts';
import { modelCard, namesPadToken, sentenceTransformersFiles } from './sentence-transformers.ts';
import { summarize } from './checkpoints.ts';

export interface PruneOptions {
  readonly depth: Depth;
  /** The folder to write. */
  readonly out: string;
  readonly encoder: CheckpointEncoderSettings;
  /** The curve that the depth is read from, kept in the manifest; null where there is none. */
  readonly curve: LossCurve | null;
  /** With it, the mean vectors at the cut are kept as the checkpoint's calibration. */
  readonly means?: LayerMeans | undefined;
  /** Replace a checkpoint that is already there. */
  readonly force?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

/** Files of a tokenizer that other programs may want beside tokenizer.json; copied as they are. */
const tokenizerFiles = ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json'];

/**
 * The count of layers that a depth asks for, of a model that has `layers`.
 * Errors: USAGE where nothing would be left, all would be, or a curve is needed and there is none.
 */
export function layersToKeep(depth: Depth, layers: number, curve: LossCurve | null): number {
  switch (depth.kind) {
    case 'layers':
      if (!Number.isInteger(depth.layers) || depth.layers < 1 || depth.layers > layers)
        throw errors.usage(`The model has ${layers} layers: keep 1 to ${layers} of them, not ${depth.layers}.`);
      return depth.layers;
    case 'percent': {
      const { percent } = depth;
      if (!(percent > 0 && percent < 100)) throw errors.usage(`Take more than 0 and less than 100 percent off, not ${percent}.`);
      if (percent < 1)
        throw errors.usage(`${percent} percent takes next to nothing off: did you mean --percent ${Number((percent * 100).toPrecision(6))}?`);
      const kept = layersAfterPercent(layers, percent);
      if (kept < 1) throw errors.usage(`Nothing of ${layers} layers is left when ${percent} percent are taken off.`);
      return kept;
    }
    case 'small':
    case 'large': {
      if (curve === null) throw errors.usage(`The ${depth.kind} cut is read from a loss curve: give --curve FILE or --data D.`);
      const kept = curve[depth.kind];
      if (kept > layers) throw errors.usage(`The curve cuts at ${kept} layers and the model has ${layers}: it belongs to another model.`);
      return kept;
    }
  }
}

/**
 * Writes the model cut after its first layers (paper, section 3: the last layers go, embeddings and final norm stay) as
 * a Hugging Face folder that transformers and sentence-transformers open. Weights are copied byte for byte in the type
 * they are stored in, and checked to be finite on the way. The folder appears whole or not at all.
 *
 * Errors: USAGE (also for a curve of another model), EXISTS, NOT_FINITE, WRITE_FAILED, CANCELLED.
 */
export async function pruneCheckpoint(checkpoint: Checkpoint, options: PruneOptions): Promise<CheckpointSummary> {
  const { curve, depth, signal } = options;
  const layers = layersToKeep(depth, checkpoint.config.numHiddenLayers, curve);
  const out = resolve(options.out);
  checkEncoderSettings(checkpoint, options.encoder);
  const manifest = await makeManifest(checkpoint, layers, options);
  const write = async (folder: string): Promise<void> => {
    await writeSafetensors(join(folder, WEIGHTS_FILE), keptTensors(checkpoint, layers), {
      signal,
      onProgress: ({ doneBytes, totalBytes }) => options.onProgress?.(doneBytes, totalBytes ?? doneBytes),
    });
    if (options.means !== undefined) await writeCalibration(folder, checkpoint.config.hiddenSize, layers, options.means);
    for (const file of tokenizerFiles) {
      const source = join(checkpoint.directory, file);
      if (await stat(source).then((entry) => entry.isFile(), () => false)) await copyFile(source, join(folder, file));
    }
    for (const { path, content } of await textFiles(checkpoint, layers, manifest)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), content);
    }
  };
  await writeFolderAtomically(out, write, { force: options.force, marker: manifestFile, signal });
  return await summarize(out);
}

/** A checkpoint that could encode nothing is not made. Errors: USAGE. */
function checkEncoderSettings({ config, tokenizer }: Checkpoint, { maxLength, instruction, separator }: CheckpointEncoderSettings): void {
  if (maxLength > config.maxPositionEmbeddings)
    throw errors.usage(`A length of ${maxLength} tokens is not possible: the model reads 1 to ${config.maxPositionEmbeddings}.`);
  if (instruction === undefined) return;
  const { ids } = tokenizer.tokenize(instruction + separator, { maxTokens: maxLength });
  if (ids.length >= maxLength)
    throw errors.usage(`The instruction alone fills the ${maxLength} tokens that are read: shorten it or raise --max-length.`);
}

/** The tensors of the first layers, the embedding and the final norm; an output matrix has no use in an encoder. */
function keptTensors(checkpoint: Checkpoint, layers: number): TensorSource[] {
  const prefix = findPrefix(checkpoint.tensors);
  return [...decoderTensors({ ...checkpoint.config, numHiddenLayers: layers })].map(({ name }) =>
    finiteSource(storedSource(checkpoint.tensors.get(prefix + name)!)),
  );
}

async function writeCalibration(
  folder: string,
  size: number,
  layers: number,
  { queries, documents }: LayerMeans,
): Promise<void> {
  const mean = (name: string, means: Float32Array): TensorSource =>
    float32Source(name, [1, size], means.slice((layers - 1) * size, layers * size));
  await writeSafetensors(join(folder, calibrationFile), [
    mean(calibrationTensors.query, queries),
    mean(calibrationTensors.document, documents),
  ]);
}

async function makeManifest(checkpoint: Checkpoint, layers: number, { curve, depth, encoder, means }: PruneOptions): Promise<Manifest> {
  const earlier = await readManifest(checkpoint.directory);
  const created = new Date().toISOString();
  const from = {
    name: checkpoint.name,
    fingerprint: await checkpoint.fingerprint(),
    layers: checkpoint.config.numHiddenLayers,
  };
  if (curve !== null && curve.model.fingerprint !== from.fingerprint)
    throw errors.usage(`The curve was measured on ${curve.model.name}, which is another model than ${from.name}: measure it on this one.`);
  return {
    format: 1,
    createdBy,
    created,
    base: earlier?.base ?? from,
    layers,
    encoder,
    history: [...(earlier?.history ?? []), { step: 'prune', date: created, from, layers, depth }],
    curve: curve as Manifest['curve'],
    calibrated: means !== undefined,
  };
}

async function textFiles(checkpoint: Checkpoint, layers: number, manifest: Manifest): Promise<{ path: string; content: string }[]> {
  const settings = {
    ...manifest.encoder,
    instruction: manifest.encoder.instruction,
    addsBos: checkpoint.tokenizer.addsBos,
    hasPadToken: await namesPadToken(checkpoint.directory),
    hiddenSize: checkpoint.config.hiddenSize,
  };
  return [
    { path: 'config.json', content: json(prunedConfig(checkpoint.config.raw, layers, settings.attention)) },
    { path: manifestFile, content: json(manifest) },
    { path: 'README.md', content: modelCard(manifest, settings) },
    ...sentenceTransformersFiles(settings),
  ];
}

/**
 * The config of the cut model: fewer layers, no output matrix, no code of others, and the attention its vectors need
 * (transformers reads `is_causal` from 5.2 on).
 */
function prunedConfig(raw: Readonly<Record<string, unknown>>, layers: number, attention: Attention): Record<string, unknown> {
  const { auto_map: _, is_causal: __, layer_types: layerTypes, ...config } = raw;
  return {
    ...config,
    architectures: ['LlamaModel'],
    num_hidden_layers: layers,
    ...(attention === 'bidirectional' ? { is_causal: false } : {}),
    ...(Array.isArray(layerTypes) ? { layer_types: layerTypes.slice(0, layers) } : {}),
  };
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
