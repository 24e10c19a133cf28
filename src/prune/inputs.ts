import { sampleTriplets } from '../data/read.ts';
import type { TripletSet } from '../data/triplet.ts';
import type { Engine } from '../engine/engine.ts';
import { given } from '../given.ts';
import { onnxEngine } from '../engine/onnx/engine.ts';
import { openModel, type OpenedModel, type OpenModelOptions } from '../models/open.ts';
import type { Checkpoint } from '../models/types.ts';
import { defaultSettings } from './checkpoint-settings.ts';
import { defaultProfile, type ProfileRequest } from './profile.ts';

/** A model with the engine that will run it. */
export async function openModelFor(
  spec: string,
  options: OpenModelOptions & { readonly threads: number | undefined },
): Promise<OpenedModel & { readonly engine: Engine }> {
  return { ...(await openModel(spec, options)), engine: onnxEngine({ threads: options.threads }) };
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
