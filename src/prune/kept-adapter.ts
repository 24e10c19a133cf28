import { join } from 'node:path';
import { withAdapter } from '../encoder/adapted.ts';
import { readAdapter } from '../encoder/adapter.ts';
import type { Checkpoint } from '../models/types.ts';
import { adapterFolder, readManifest } from './manifest.ts';

/**
 * The model with the adapter that its folder keeps apart from the weights (`--no-merge`), so that every command applies
 * it; any other model as it is. Errors: BAD_MANIFEST, those of `readAdapter`.
 */
export async function withKeptAdapter(checkpoint: Checkpoint): Promise<Checkpoint> {
  const manifest = await readManifest(checkpoint.directory);
  if (manifest?.adapter?.merged !== false) return checkpoint;
  return withAdapter(checkpoint, await readAdapter(join(checkpoint.directory, adapterFolder), checkpoint.config, checkpoint.config.numHiddenLayers));
}
