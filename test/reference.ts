import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Encoder } from '../src/encoder/encoder.ts';
import type { EncoderInput, EncoderText } from '../src/encoder/prompt.ts';
import type { Attention, Pooling } from '../src/encoder/settings.ts';
import type { Engine } from '../src/engine/engine.ts';
import { onnxEngine } from '../src/engine/onnx/engine.ts';
import { readSafetensors, readTensor } from '../src/models/safetensors.ts';
import type { Checkpoint } from '../src/models/types.ts';

/** Two threads, as everywhere in the tests. */
export const engine = onnxEngine({ threads: 2 });

export const fixtures = fileURLToPath(new URL('fixtures', import.meta.url));

interface ReferenceInput {
  readonly instruction: string | null;
  readonly separator: string;
  readonly text: string;
  readonly prefix: string;
  readonly suffix: string;
  readonly ids: readonly number[];
  readonly spans: ReadonlyArray<readonly [number, number]>;
  readonly pooled_mask: readonly number[];
}

/** What PyTorch computed for a fixture, in float64. */
export interface Reference {
  readonly max_length: number;
  readonly inputs: readonly ReferenceInput[];
  readonly empty: readonly ReferenceInput[];
  readonly triplets: ReadonlyArray<Readonly<Record<'query' | 'positive' | 'negative', ReferenceInput>>>;
  readonly batch_size: number;
  /** A training run of the model cut to `prune_to` layers; its arrays are `grad.*` and `adamw.*`. */
  readonly lora: {
    readonly prune_to: number;
    readonly scale: number;
    readonly loss: number;
    readonly embedding_inputs: readonly number[];
    readonly adamw: {
      readonly lr: number;
      readonly clip: number;
      readonly warmup: number;
      readonly total: number;
      readonly weight_decay: number;
      readonly steps: ReadonlyArray<{ readonly batch: number; readonly lr: number; readonly loss: number; readonly grad_norm: number }>;
      readonly loss_after: number;
    };
  };
  readonly losses: Readonly<Record<Attention, Readonly<Record<string, { losses: number[]; small: number; large: number }>>>>;
}

export function readReference(name: string): Reference {
  return JSON.parse(readFileSync(join(fixtures, name, 'reference.json'), 'utf8')) as Reference;
}

/** One of the arrays beside it, row-major. */
export async function referenceArray(name: string, array: string): Promise<Float32Array> {
  const tensors = await readSafetensors(join(fixtures, name, 'reference.safetensors'));
  return readTensor(tensors.get(array)!);
}

export function inputOf({ instruction, separator, text, prefix, suffix }: ReferenceInput): EncoderInput {
  return { text, separator, prefix, suffix, ...(instruction === null ? {} : { instruction }) };
}

/** The reference's triplets as rows of a data file. */
export function tripletsOf(reference: Reference) {
  return reference.triplets.map(({ query, positive, negative }) => ({
    query: query.text,
    positive: positive.text,
    negatives: [negative.text],
    instruction: query.instruction!,
  }));
}

/** Encodes texts by a model opened for it: [outputs, texts, hiddenSize]. */
export async function encodeWith(
  checkpoint: Checkpoint,
  options: { attention?: Attention; pooling?: Pooling; maxLength: number; layers?: number; output: 'last' | 'every' },
  texts: (encoder: Encoder) => EncoderText[],
  on: Engine = engine,
): Promise<Float32Array> {
  const encoder = await Encoder.open(on, checkpoint, { attention: 'causal', pooling: 'weighted_mean', ...options });
  try {
    return await encoder.encode(texts(encoder));
  } finally {
    await encoder.dispose();
  }
}

/** The largest |a - b| / |b| of any vector of `size` numbers. */
export function worstDifference(a: Float32Array, b: Float32Array, size: number): number {
  let worst = a.length === b.length ? 0 : Infinity;
  for (let from = 0; from < b.length; from += size) {
    let difference = 0;
    let length = 0;
    for (let i = from; i < from + size; i++) {
      difference += (a[i]! - b[i]!) ** 2;
      length += b[i]! ** 2;
    }
    worst = Math.max(worst, Math.sqrt(difference / length));
  }
  return worst;
}
