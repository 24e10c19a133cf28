import type { Checkpoint } from '../models/types.ts';
import { jsonFile, type CheckpointFile } from './checkpoint-file.ts';
import { manifestFile, type Manifest } from './manifest.ts';
import { modelCard } from './model-card.ts';
import { namesPadToken, sentenceTransformersFiles } from './sentence-transformers.ts';

/**
 * The text files of a checkpoint folder that follow from its manifest; the manifest itself comes last. `checkpoint` is
 * the folder's own model or the one it was cut from: tokenizer and width are the same.
 */
export async function checkpointTexts(checkpoint: Checkpoint, manifest: Manifest): Promise<CheckpointFile[]> {
  const settings = {
    ...manifest.encoder,
    instruction: manifest.encoder.instruction,
    addsBos: checkpoint.tokenizer.addsBos,
    hasPadToken: await namesPadToken(checkpoint.directory),
    hiddenSize: checkpoint.config.hiddenSize,
    calibration: manifest.calibration?.kind,
  };
  return [
    ...sentenceTransformersFiles(settings),
    { path: 'README.md', content: modelCard(manifest, settings) },
    jsonFile(manifestFile, manifest),
  ];
}
