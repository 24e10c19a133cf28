import { formatBytes } from '../format.ts';
import { openModelFor } from '../prune/inputs.ts';
import { homeOf, type HomeOptions } from './options.ts';
import type { ProgressLine } from './progress.ts';

/** Opens the model that a person named, with its download or conversion on the line. Errors: those of `openModelFor`. */
export async function openNamedModel(
  spec: string,
  options: HomeOptions & { readonly threads?: number },
  line: ProgressLine,
  signal: AbortSignal,
): ReturnType<typeof openModelFor> {
  try {
    return await openModelFor(spec, {
      home: homeOf(options),
      threads: options.threads,
      signal,
      onProgress: ({ what, doneBytes, totalBytes }) => {
        const done = formatBytes(doneBytes);
        line.show(what, doneBytes, totalBytes, totalBytes === undefined ? done : `${done} of ${formatBytes(totalBytes)}`);
      },
    });
  } finally {
    line.end();
  }
}
