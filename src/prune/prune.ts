import { copyFile, stat, writeFile } from 'node:fs/promises';
import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Calibration } from '../encoder/calibration.ts';
import { errors } from '../errors.ts';
import { writeFolderAtomically } from '../files.ts';
import { decoderTensors, findPrefix } from '../models/config.ts';
import { finiteSource } from '../models/finite.ts';
import { WEIGHTS_FILE } from '../models/safetensors.ts';
import { storedSource, writeSafetensors, type TensorSource } from '../models/tensor-data.ts';
import type { Checkpoint } from '../models/types.ts';
import { createdBy } from '../version.ts';
import { writeCalibrationWeights } from './calibration-modules.ts';
import { jsonFile, type CheckpointFile } from './checkpoint-file.ts';
import { checkpointTexts } from './checkpoint-texts.ts';
import { layersAfterPercent } from './choose.ts';
import type { LossCurve } from './curve.ts';
import type { CheckpointSummary, Depth } from './job.ts';
import { describeCalibration, manifestFile, manifestFormat, readManifest, type CheckpointEncoderSettings, type Manifest } from './manifest.ts';
import { summarize } from './checkpoints.ts';

export interface PruneOptions {
  readonly depth: Depth;
  /** The folder to write. */
  readonly out: string;
  readonly encoder: CheckpointEncoderSettings;
  /** The curve that the depth is read from, kept in the manifest; null where there is none. */
  readonly curve: LossCurve | null;
  /** What was measured at this depth under these settings; without it the vectors stay as they are. */
  readonly calibration?: Calibration | undefined;
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
    if (options.calibration !== undefined) await writeCalibrationWeights(folder, options.calibration);
    for (const file of tokenizerFiles) {
      const source = join(checkpoint.directory, file);
      if (await stat(source).then((entry) => entry.isFile(), () => false)) await copyFile(source, join(folder, file));
    }
    for (const { path, content } of [configFile(checkpoint, layers, manifest), ...(await checkpointTexts(checkpoint, manifest))]) {
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

async function makeManifest(checkpoint: Checkpoint, layers: number, { curve, depth, encoder, calibration }: PruneOptions): Promise<Manifest> {
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
    format: manifestFormat,
    createdBy,
    created,
    base: earlier?.base ?? from,
    layers,
    encoder,
    history: [...(earlier?.history ?? []), { step: 'prune', date: created, from, layers, depth }],
    curve: curve as Manifest['curve'],
    calibration: describeCalibration(calibration),
  };
}

/**
 * The config of the cut model: fewer layers, no output matrix, no code of others, and the attention its vectors need
 * (transformers reads `is_causal` from 5.2 on).
 */
function configFile({ config }: Checkpoint, layers: number, { encoder }: Manifest): CheckpointFile {
  const { auto_map: _, is_causal: __, layer_types: layerTypes, ...kept } = config.raw;
  return jsonFile('config.json', {
    ...kept,
    architectures: ['LlamaModel'],
    num_hidden_layers: layers,
    ...(encoder.attention === 'bidirectional' ? { is_causal: false } : {}),
    ...(Array.isArray(layerTypes) ? { layer_types: layerTypes.slice(0, layers) } : {}),
  });
}
