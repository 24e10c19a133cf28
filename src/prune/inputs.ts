import { sampleTriplets } from '../data/read.ts';
import type { TripletSet } from '../data/triplet.ts';
import type { Engine } from '../engine/engine.ts';
import { onnxEngine } from '../engine/onnx/engine.ts';
import { openModel, type OpenedModel, type OpenModelOptions } from '../models/open.ts';
import type { ProfileRequest } from './profile.ts';

/** A model with the engine that will run it. */
export async function openModelFor(
  spec: string,
  options: OpenModelOptions & { readonly threads: number | undefined },
): Promise<OpenedModel & { readonly engine: Engine }> {
  return { ...(await openModel(spec, options)), engine: onnxEngine({ threads: options.threads }) };
}

/** The paper's count; a profile that is left to choose takes no more. */
export const mostBatches = 100;

/** The rows that a profile needs, drawn by its seed in one pass over the data. Errors: NOT_FOUND, BAD_DATA, CANCELLED. */
export function loadTriplets(path: string, request: ProfileRequest, signal?: AbortSignal): Promise<TripletSet> {
  const { batches = mostBatches, batchSize, order, seed } = request;
  return sampleTriplets(path, { count: batches * batchSize, seed, order, ...(signal === undefined ? {} : { signal }) });
}
