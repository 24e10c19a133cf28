import { describe } from 'vitest';
import { resolveDefaultModel } from '../src/models/default-model.ts';
import { skipBecause } from './skips.ts';

let directory: Promise<string> | undefined;

/**
 * The folder of the default model's float32 checkpoint, from the person's own data home, fetched there once. Throws
 * `MODEL_UNAVAILABLE` where it is nowhere to be had: tests that need it stand in `describeWithModel`.
 */
export async function defaultCheckpoint(): Promise<string> {
  directory ??= resolveDefaultModel({ exact: true }).then((model) => model.directory);
  return directory;
}

/** `describe`, for tests of the default model; skipped with a sentence where there is neither cache nor pip nor network. */
export const describeWithModel = await defaultCheckpoint().then(
  () => describe,
  (error: Error) => {
    skipBecause(`The tests of the default model were skipped: ${error.message}`);
    return describe.skip;
  },
);
