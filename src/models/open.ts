import { openCheckpoint } from './checkpoint.ts';
import { resolveModel } from './sources.ts';
import type { ByteProgress, Checkpoint } from './types.ts';

/** A model that is ready to be run or cut. */
export interface OpenedModel {
  readonly checkpoint: Checkpoint;
  /** Which copy was used and where it came from, in a sentence. */
  readonly how: string;
}

export interface OpenModelOptions {
  readonly home: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: ByteProgress) => void) | undefined;
}

/**
 * Opens what a person may name: a folder, a `.gguf` or `.safetensors` file, a hub id, or the default model. Fetches and
 * converts what is not here yet. Errors: those of `resolveModel` and `openCheckpoint`.
 */
export async function openModel(spec: string, { home, signal, onProgress }: OpenModelOptions): Promise<OpenedModel> {
  const { directory, name, how } = await resolveModel(spec, { home, signal, onProgress });
  return { checkpoint: await openCheckpoint(directory, { name, home, signal }), how };
}
