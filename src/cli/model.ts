import { openModelFor } from '../prune/inputs.ts';
import { homeOf, type HomeOptions, type ModelOptions } from './options.ts';
import { showBytes, type ProgressLine } from './progress.ts';

/** Opens the model that a person named, with its download or conversion on the line. Errors: those of `openModelFor`. */
export async function openNamedModel(
  spec: string,
  options: HomeOptions & Partial<Pick<ModelOptions, 'threads' | 'engine' | 'device'>>,
  line: ProgressLine,
  signal: AbortSignal,
): ReturnType<typeof openModelFor> {
  try {
    return await openModelFor(spec, {
      home: homeOf(options),
      threads: options.threads,
      engine: options.engine,
      device: options.device,
      signal,
      onProgress: (progress) => showBytes(line, progress),
    });
  } finally {
    line.end();
  }
}
