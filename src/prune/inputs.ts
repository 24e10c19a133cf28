import { sampleTriplets } from '../data/read.ts';
import type { TripletSet } from '../data/triplet.ts';
import type { Engine } from '../engine/engine.ts';
import type { EngineOptions } from '../engine/open.ts';
import { given } from '../given.ts';
import { selectEngine, type EngineChoice } from '../engine/select.ts';
import { openModel, type OpenedModel, type OpenModelOptions } from '../models/open.ts';
import type { Checkpoint } from '../models/types.ts';
import { defaultSettings } from './checkpoint-settings.ts';
import { withKeptAdapter } from './kept-adapter.ts';
import { defaultProfile, type ProfileRequest } from './profile.ts';

/** How a model is opened, and with which engine: the fastest where none is named. */
export interface OpenModelForOptions extends OpenModelOptions {
  readonly threads: number | undefined;
  readonly engine?: EngineChoice | undefined;
  readonly device?: EngineOptions['device'];
}

/** A model, with the adapter it keeps apart, and the engine that will run it. Errors: those of `openModel`, `withKeptAdapter` and `selectEngine`. */
export async function openModelFor(spec: string, options: OpenModelForOptions): Promise<OpenedModel & { readonly engine: Engine }> {
  const { checkpoint: stored, how } = await openModel(spec, options);
  const checkpoint = await withKeptAdapter(stored);
  const { engine, why } = await selectEngine(options.engine ?? 'auto', options);
  return { checkpoint, how: why === undefined ? how : `${how} ${why}`, engine };
}

/**
 * A profile of this model: what is asked for, over `base`. What is not asked for is as the model has it: the attention
 * and pooling its vectors are made with, and texts no longer than it reads. Errors: BAD_MANIFEST.
 */
export async function profileRequestFor(
  checkpoint: Checkpoint,
  asked: { readonly [K in keyof ProfileRequest]?: ProfileRequest[K] | undefined },
  base: ProfileRequest = defaultProfile,
): Promise<ProfileRequest> {
  const { attention, pooling } = await defaultSettings(checkpoint);
  const maxLength = Math.min(base.maxLength, checkpoint.config.maxPositionEmbeddings);
  return { ...base, attention, pooling, maxLength, ...given(asked) };
}

/** The paper's count; a profile that is left to choose takes no more. */
export const mostBatches = 100;

/** The rows that a profile needs, drawn by its seed in one pass over the data. Errors: NOT_FOUND, BAD_DATA, CANCELLED. */
export function loadTriplets(path: string, request: ProfileRequest, signal?: AbortSignal): Promise<TripletSet> {
  const { batches = mostBatches, batchSize, order, seed } = request;
  return sampleTriplets(path, { count: batches * batchSize, seed, order, ...(signal === undefined ? {} : { signal }) });
}
