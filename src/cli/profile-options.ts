import { Option, type Command } from 'commander';
import { errors } from '../errors.ts';
import type { Checkpoint } from '../models/types.ts';
import { defaultProfile, paperProfile, type ProfileRequest } from '../prune/profile.ts';
import { profileRequestFor } from '../prune/inputs.ts';
import { lossScale, wholeNumber, type ModelOptions } from './options.ts';

export interface ProfileOptions extends ModelOptions {
  readonly batchSize?: number;
  readonly batches?: number;
  readonly layers?: number;
  readonly order?: 'shuffled' | 'file';
  readonly scale?: number;
  readonly seed?: number;
  readonly paper?: true;
}

/** The settings of a profile that are not the encoder's. */
export function profileOptions(command: Command): Command {
  return command
    .option('--batch-size <n>', 'triplets a batch (default: 64)', wholeNumber(2, 1 << 20))
    .option('--batches <n>', 'batches (default: as many as fit three minutes, at least 8)', wholeNumber(2, 1 << 20))
    .addOption(new Option('--order <order>', 'which rows make a batch (default: shuffled)').choices(['shuffled', 'file']))
    .option('--scale <scale>', 'scale of the cosine in the loss, 1 / temperature (default: 50)', lossScale)
    .option('--seed <seed>', 'of the choice of rows (default: 42)', wholeNumber(0, Number.MAX_SAFE_INTEGER))
    .option('--paper', "the paper's settings: 100 batches of 64, 512 tokens, scale 50");
}

/** Refuses options that contradict each other, before anything is fetched or read. Errors: USAGE. */
export function checkProfileOptions({ paper, batchSize, batches, scale, maxLength }: ProfileOptions): void {
  if (paper && [batchSize, batches, scale, maxLength].some((value) => value !== undefined))
    throw errors.usage('--paper sets batches, batch size, length and scale: leave --batches, --batch-size, --max-length and --scale out.');
}

/** What the options ask for of this model. */
export function profileRequest(options: ProfileOptions, checkpoint: Checkpoint): Promise<ProfileRequest> {
  const { paper, batchSize, batches, layers, order, scale, seed, maxLength, attention, pooling, separator } = options;
  const given = { batchSize, batches, scale, maxLength, layers, order, seed, attention, pooling, separator };
  return profileRequestFor(checkpoint, given, paper ? paperProfile : defaultProfile);
}
