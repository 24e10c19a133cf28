import { createHash } from 'node:crypto';
import { applyCalibration, type Calibration, type Role } from '../encoder/calibration.ts';
import { Encoder } from '../encoder/encoder.ts';
import { withOwnPrompt, type EncoderText } from '../encoder/prompt.ts';
import type { EngineChoice } from '../engine/select.ts';
import type { Device } from '../engine/open.ts';
import { errors, L3PruneError } from '../errors.ts';
import type { ByteProgress, Checkpoint } from '../models/types.ts';
import { readCalibration } from '../prune/calibration.ts';
import { defaultSettings } from '../prune/checkpoint-settings.ts';
import { openModelFor } from '../prune/inputs.ts';
import { readManifest, type CheckpointEncoderSettings } from '../prune/manifest.ts';
import { pack, quantize, type QuantizedVector } from './scan/quantize.ts';
import type { EncoderSource } from './store/types.ts';

/** Tokens of a text that are read: a chunk is about as long, and attention to more costs more than it finds. */
export const defaultIndexLength = 256;

/** Part of every fingerprint: raised when other text is encoded of the same file. */
const contextVersion = 1;

/** What opens an encoder for an index, and where its parts are. */
export interface OpenIndexEncoderOptions {
  readonly home: string;
  readonly threads: number | undefined;
  readonly engine?: EngineChoice | undefined;
  readonly device?: Device | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: ByteProgress) => void) | undefined;
}

/** What of an encoder is chosen; the rest is the checkpoint's own. */
export type IndexEncoderRequest = Pick<EncoderSource, 'model'> & Partial<Pick<EncoderSource, 'layers' | 'maxLength' | 'precision'>>;

/** An encoder as an index uses it: texts to vectors of 8 bits, calibrated and of length 1. */
export class IndexEncoder {
  readonly source: EncoderSource;
  /** SHA-256, hexadecimal, of everything that changes the vector of a text in the index. */
  readonly fingerprint: string;
  readonly encoder: Encoder;
  readonly #settings: CheckpointEncoderSettings;
  readonly #calibration: Calibration | undefined;

  private constructor(source: EncoderSource, fingerprint: string, encoder: Encoder, settings: CheckpointEncoderSettings, calibration: Calibration | undefined) {
    this.source = source;
    this.fingerprint = fingerprint;
    this.encoder = encoder;
    this.#settings = settings;
    this.#calibration = calibration;
  }

  /** Errors: those of `openModelFor` and `Encoder.open`. */
  static async open({ model, ...asked }: IndexEncoderRequest, options: OpenIndexEncoderOptions): Promise<IndexEncoder> {
    const { checkpoint, engine } = await openModelFor(model, options);
    const own = await defaultSettings(checkpoint);
    const layers = asked.layers ?? checkpoint.config.numHiddenLayers;
    const maxLength = asked.maxLength ?? Math.min(own.maxLength, defaultIndexLength);
    const isCpu = engine.name === 'onnx' && options.device !== 'webgpu';
    const precision = asked.precision ?? (isCpu ? 'int8' : 'float32');
    if (precision === 'int8' && !isCpu) throw errors.usage('--precision int8 is for ONNX Runtime on the CPU: leave it out with another engine or device.');
    const settings = { ...own, maxLength };
    const calibration = await readCalibration(checkpoint, await readManifest(checkpoint.directory), { ...settings, layers });
    const encoder = await Encoder.open(engine, checkpoint, { ...settings, layers, precision, output: 'last' });
    const source = { model, name: checkpoint.name, layers, maxLength, precision };
    return new IndexEncoder(source, await fingerprintOf(checkpoint, settings, source, calibration), encoder, settings, calibration);
  }

  get dimensions(): number {
    return this.encoder.checkpoint.config.hiddenSize;
  }

  /** A chunk's text as the model reads it; undefined where nothing of it can be pooled. */
  prepare(text: string): EncoderText | undefined {
    return this.#prepare(text, 'document');
  }

  /** A vector of the encoder's, as it is stored. Errors: NOT_FINITE. */
  packed(vector: Float32Array, role: Role = 'document'): Uint8Array {
    return pack(this.#quantized(vector, role));
  }

  /** The vector of a query, or of code that similar code is sought for; undefined where nothing can be pooled. Errors: ENGINE, NOT_FINITE. */
  async embedQuery(text: string, role: Role = 'query'): Promise<QuantizedVector | undefined> {
    const prepared = this.#prepare(text, role);
    return prepared === undefined ? undefined : this.#quantized(await this.encoder.encode([prepared]), role);
  }

  async dispose(): Promise<void> {
    await this.encoder.dispose();
  }

  #prepare(text: string, role: Role): EncoderText | undefined {
    try {
      return this.encoder.prepare(withOwnPrompt({ text: text.toWellFormed(), role }, this.#settings));
    } catch (error) {
      if (error instanceof L3PruneError && error.code === 'NOTHING_TO_POOL') return undefined;
      throw error;
    }
  }

  #quantized(vector: Float32Array, role: Role): QuantizedVector {
    const [calibrated] = this.#calibration === undefined ? [vector] : applyCalibration(this.#calibration, role, [vector]);
    return quantize(calibrated!);
  }
}

async function fingerprintOf(checkpoint: Checkpoint, { attention, pooling }: CheckpointEncoderSettings, { layers, maxLength, precision }: EncoderSource, calibration: Calibration | undefined): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify([contextVersion, await checkpoint.fingerprint(), attention, pooling, layers, maxLength, precision, checkpoint.adapter?.lora ?? null]));
  for (const [name, parameters] of checkpoint.adapter?.parameters ?? []) hash.update(name).update(parameters);
  if (calibration !== undefined) {
    const { weight, bias } = calibration.maps.document;
    hash.update(bias);
    if (weight !== undefined) hash.update(weight);
  }
  return hash.digest('hex');
}
