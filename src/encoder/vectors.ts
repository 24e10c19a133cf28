import type { Encoder } from './encoder.ts';
import type { EncoderText } from './prompt.ts';

/** Vectors of texts as they are computed, by each text's place in the list; for an encoder of one output. */
export async function* vectorsOf(
  encoder: Encoder,
  texts: readonly EncoderText[],
  signal?: AbortSignal,
): AsyncGenerator<{ place: number; vector: Float32Array }, void> {
  const size = encoder.checkpoint.config.hiddenSize;
  for await (const run of encoder.runs(texts, signal)) {
    for (const [i, place] of run.texts.entries()) yield { place, vector: run.embeddings.slice(i * size, (i + 1) * size) };
  }
}
