import { defaultEncoderSettings } from '../encoder/settings.ts';
import type { Checkpoint } from '../models/types.ts';
import { readManifest, type CheckpointEncoderSettings } from './manifest.ts';

/** The settings a checkpoint keeps in its manifest, or the defaults for a model that is not one of ours. Errors: BAD_MANIFEST. */
export async function defaultSettings(checkpoint: Checkpoint): Promise<CheckpointEncoderSettings> {
  const manifest = await readManifest(checkpoint.directory);
  if (manifest !== undefined) return manifest.encoder;
  const maxLength = Math.min(defaultEncoderSettings.maxLength, checkpoint.config.maxPositionEmbeddings);
  const attention = checkpoint.config.raw.is_causal === false ? 'bidirectional' : defaultEncoderSettings.attention;
  return { ...defaultEncoderSettings, attention, maxLength, separator: ' ' };
}
