import { stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { errors } from '../errors.ts';
import { reason } from '../files.ts';
import { checkTensors, parseConfig } from './config.ts';
import { fingerprintModel } from './fingerprint.ts';
import { readJson } from './json.ts';
import { readWeights } from './safetensors.ts';
import { openTokenizer } from './tokenizer.ts';
import type { Checkpoint } from './types.ts';

/** What is known of a checkpoint before it is opened. */
export interface OpenOptions {
  /** What to call it in reports; the folder's name where absent. */
  readonly name?: string | undefined;
  /** Its fingerprint, where somebody has computed it already. */
  readonly fingerprint?: string | undefined;
  /** The data home, where fingerprints are remembered. */
  readonly home?: string | undefined;
  /** Stops the hashing of large weights. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens a Hugging Face folder: config.json, safetensors and tokenizer.json, each checked by itself and against the
 * others; weights are not read. Throws `NOT_FOUND`, `BAD_CONFIG`, `BAD_MODEL_FILE`, `BAD_TOKENIZER` or `UNSUPPORTED`.
 */
export async function openCheckpoint(directory: string, options: OpenOptions = {}): Promise<Checkpoint> {
  const folder = resolve(directory);
  const found = await stat(folder).catch((error: unknown) => {
    throw errors.notFound(`${directory} cannot be opened: ${reason(error)}.`, error);
  });
  if (!found.isDirectory()) throw errors.notFound(`${directory} is a file: name the folder of a model.`);

  const configPath = join(folder, 'config.json');
  const config = parseConfig(await readJson(configPath, errors.badConfig), configPath);
  const { tensors, otherTypes } = await readWeights(folder);
  checkTensors(config, tensors, otherTypes);
  const tokenizer = await openTokenizer(folder);
  if (tokenizer.vocabSize > config.vocabSize)
    throw errors.badTokenizer(
      `${join(folder, 'tokenizer.json')} has token ids up to ${tokenizer.vocabSize - 1} and the model has embeddings for ${config.vocabSize} tokens: they are not of the same model.`,
    );

  let fingerprint: Promise<string> | undefined = options.fingerprint ? Promise.resolve(options.fingerprint) : undefined;
  return {
    directory: folder,
    name: options.name ?? basename(folder),
    config,
    tensors,
    tokenizer,
    async fingerprint() {
      fingerprint ??= fingerprintModel({ config, tensors, directory: folder }, { home: options.home, signal: options.signal });
      // A failure is not remembered: the next call tries again.
      return fingerprint.catch((error: unknown) => {
        fingerprint = undefined;
        throw error;
      });
    },
  };
}
