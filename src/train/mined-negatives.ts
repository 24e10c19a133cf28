import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { modelNegatives, type VectorSource } from '../data/model-negatives.ts';
import type { Triplet } from '../data/triplet.ts';
import type { Engine } from '../engine/engine.ts';
import type { Encoder } from '../encoder/encoder.ts';
import type { EncoderInput } from '../encoder/prompt.ts';
import { errors } from '../errors.ts';
import { writeFileAtomically } from '../files.ts';
import type { LoraParameters } from '../models/types.ts';
import { openTrainedEncoder } from './evaluation.ts';
import type { TrainedModel } from './programs.ts';
import type { TrainingSettings } from './settings.ts';
import { withSomethingToPool } from './usable-rows.ts';

/** Rows that are mined together: their texts are what the negatives are found in. */
const blockRows = 1024;

/** The negatives of a block's rows, a batch each: the rows themselves are the data's. */
const blockFile = z.array(z.array(z.array(z.string())));
const fileName = (first: number, end: number): string => `negatives-${first}-${end}.json`;

export interface MinedNegativesOptions {
  readonly engine: Engine;
  readonly model: TrainedModel;
  readonly settings: TrainingSettings;
  /** Keeps what was mined, so that a run that goes on has the same. */
  readonly folder: string;
  /** The rows of a step as the data has them. */
  readonly rows: (step: number) => Promise<readonly Triplet[]>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Batches whose hard negatives the model itself has found: from step `modelNegativesAfter` on, those of the next 1,024
 * rows are mined at a time, with the parameters of that step. A block is a function of its first step's parameters, and
 * is kept on the disk before its first step is done, so that a run that goes on in its middle reads it.
 */
export class MinedNegatives {
  readonly #options: MinedNegativesOptions;
  readonly #after: number;
  readonly #blockSteps: number;
  #block: { readonly first: number; readonly negatives: z.infer<typeof blockFile> } | undefined;
  #encoder: Promise<Encoder> | undefined;

  constructor(after: number, options: MinedNegativesOptions) {
    this.#options = options;
    this.#after = after;
    this.#blockSteps = Math.ceil(blockRows / options.settings.batchSize);
  }

  /** Errors: WRITE_FAILED, BAD_MANIFEST, those of the data and of an encoder, CANCELLED. */
  async batch(step: number, parameters: LoraParameters): Promise<readonly Triplet[]> {
    const rows = await this.#options.rows(step);
    if (step < this.#after) return rows;
    const first = step - ((step - this.#after) % this.#blockSteps);
    if (this.#block?.first !== first) this.#block = { first, negatives: await (step === first ? this.#mine(first, parameters) : this.#read(first)) };
    const negatives = this.#block.negatives[step - first]!;
    return rows.map((row, i) => ({ ...row, negatives: negatives[i]! }));
  }

  /** Drops blocks that no state that may still be gone on from is in. Errors: WRITE_FAILED. */
  async forgetBefore(step: number): Promise<void> {
    for (const name of await readdir(this.#options.folder)) {
      const end = /^negatives-\d+-(\d+)\.json$/.exec(name)?.[1];
      if (end !== undefined && Number(end) <= step) await rm(join(this.#options.folder, name), { force: true });
    }
  }

  async dispose(): Promise<void> {
    await (await this.#encoder)?.dispose();
  }

  #path(first: number): string {
    return join(this.#options.folder, fileName(first, this.#end(first)));
  }

  #end(first: number): number {
    return Math.min(first + this.#blockSteps, this.#options.settings.steps);
  }

  async #read(first: number): Promise<z.infer<typeof blockFile>> {
    const path = this.#path(first);
    try {
      return blockFile.length(this.#end(first) - first).parse(JSON.parse(await readFile(path, 'utf8')));
    } catch (error) {
      throw errors.badManifest(`${path} is missing or damaged: begin the run again with --force.`, error);
    }
  }

  async #mine(first: number, parameters: LoraParameters): Promise<z.infer<typeof blockFile>> {
    const { rows, settings, signal } = this.#options;
    const batches: (readonly Triplet[])[] = [];
    for (let at = first; at < this.#end(first); at++) batches.push(await rows(at));
    const source = await this.#vectors(parameters);
    const { usable } = withSomethingToPool(batches.flat(), (row) => source.prepare(row));
    const mined = new Map<Triplet, readonly string[]>();
    let at = 0;
    for await (const { negatives } of modelNegatives(usable, source, { count: settings.hardNegatives ?? 1, blockRows: usable.length, signal })) mined.set(usable[at++]!, negatives);
    const negatives = batches.map((batch) => batch.map((row) => [...(mined.get(row) ?? row.negatives)]));
    await writeFileAtomically(this.#path(first), JSON.stringify(negatives));
    return negatives;
  }

  /** The model as it is now, without dropout. */
  async #vectors(parameters: LoraParameters): Promise<VectorSource & { prepare(row: Triplet): unknown }> {
    const { engine, model, settings, signal } = this.#options;
    this.#encoder ??= openTrainedEncoder(engine, model, settings, parameters);
    const encoder = (await this.#encoder).withParameters(parameters);
    const size = encoder.checkpoint.config.hiddenSize;
    const asked = ({ query, instruction }: Triplet): EncoderInput => ({ text: query, ...(instruction === undefined ? {} : { instruction, separator: settings.separator }) });
    const encode = async (inputs: readonly EncoderInput[]): Promise<Float32Array[]> => {
      const vectors = await encoder.encode(inputs.map((input) => encoder.prepare(input)), signal);
      return inputs.map((_, i) => vectors.subarray(i * size, (i + 1) * size));
    };
    return {
      prepare: (row) => [asked(row), { text: row.positive }, ...row.negatives.map((text) => ({ text }))].map((input) => encoder.prepare(input)),
      queries: (rows) => encode(rows.map(asked)),
      documents: (texts) => encode(texts.map((text) => ({ text }))),
    };
  }
}
