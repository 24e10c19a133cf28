import { z } from 'zod';
import { loraTargets } from '../encoder/lora.ts';
import { attentions, poolings } from '../encoder/settings.ts';
import { errors } from '../errors.ts';
import type { Lora, LoraSettings } from '../models/types.ts';

const count = z.number().int().positive();
const share = z.number().min(0).lt(1);
const positive = z.number().positive();

export const precisions = ['float32', 'int8'] as const;

/** Every setting that decides the numbers of a run. They are kept with it, and a resumed run has to have the same. */
export const trainingSettings = z.object({
  layers: count,
  loraRank: count,
  loraAlpha: positive,
  dropout: share,
  targets: z.array(z.enum(loraTargets)).min(1),
  lr: positive,
  warmup: z.number().int().min(0),
  steps: count,
  batchSize: z.number().int().min(2),
  /** Most hard negatives that are taken of a row; all when null. */
  hardNegatives: z.number().int().min(0).nullable(),
  /** From this step on, counted from 0, the model finds the hard negatives itself; never when null. */
  modelNegativesAfter: z.number().int().min(0).nullable().default(null),
  weightDecay: z.number().min(0),
  clip: positive,
  scale: positive,
  seed: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  order: z.enum(['shuffled', 'file']),
  maxLength: count,
  attention: z.enum(attentions as ['causal', 'bidirectional']),
  pooling: z.enum(poolings as ['weighted_mean', 'mean', 'last_token', 'first_token']),
  /** Between a query's instruction and the query. */
  separator: z.string(),
  /** What the frozen weights are multiplied in; everything else is float32. */
  precision: z.enum(precisions).default('float32'),
  /** Bits of the frozen weights while they are trained beside; as the model has them when null. */
  baseBits: z.literal([8, 4]).nullable().default(null),
});

export type TrainingSettings = z.infer<typeof trainingSettings>;

/** The paper's run (its section 4.1 and reference code). */
export const defaultTraining: Omit<TrainingSettings, 'layers'> = {
  loraRank: 16,
  loraAlpha: 32,
  dropout: 0.05,
  targets: [...loraTargets],
  lr: 2e-4,
  warmup: 300,
  steps: 1000,
  batchSize: 64,
  hardNegatives: null,
  modelNegativesAfter: null,
  weightDecay: 0,
  clip: 1,
  scale: 50,
  seed: 42,
  order: 'shuffled',
  maxLength: 512,
  attention: 'causal',
  pooling: 'weighted_mean',
  separator: '; ',
  precision: 'float32',
  baseBits: null,
};

/** What each setting may be, as a sentence goes on. */
const takes: Readonly<Record<keyof TrainingSettings, string>> = {
  layers: 'a whole number above 0',
  loraRank: 'a whole number above 0',
  loraAlpha: 'a number above 0',
  dropout: 'a share from 0 to below 1: with 1 nothing would reach the adapter',
  targets: `one or more of ${loraTargets.join(', ')}`,
  lr: 'a number above 0',
  warmup: 'a whole number from 0',
  steps: 'a whole number above 0',
  batchSize: 'a whole number from 2: a row is told from the others of its batch',
  hardNegatives: 'a whole number from 0',
  modelNegativesAfter: 'a whole number from 0',
  weightDecay: 'a number from 0',
  clip: 'a number above 0',
  scale: 'a number above 0',
  seed: 'a whole number from 0',
  order: 'shuffled or file',
  maxLength: 'a whole number above 0',
  attention: attentions.join(' or '),
  pooling: poolings.join(', '),
  separator: 'a text',
  precision: precisions.join(' or '),
  baseBits: '8 or 4',
};

/** The option of the command line that sets this: "--lora-rank". */
export function optionOf(setting: keyof TrainingSettings): string {
  return `--${setting.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** Errors: USAGE where a run with these settings would make no sense. */
export function checkSettings(settings: Partial<TrainingSettings>): void {
  const result = trainingSettings.partial().safeParse(settings);
  const setting = result.error?.issues[0]?.path[0] as keyof TrainingSettings | undefined;
  if (setting === undefined) return;
  throw errors.usage(`${optionOf(setting)} cannot be ${JSON.stringify(settings[setting])}: it has to be ${takes[setting]}.`);
}

export function loraOf({ loraRank, loraAlpha, dropout, targets }: Pick<TrainingSettings, 'loraRank' | 'loraAlpha' | 'dropout' | 'targets'>): LoraSettings {
  return { rank: loraRank, alpha: loraAlpha, dropout, targets };
}

/**
 * The settings that an adapter brings to the run that goes on from it; its dropout is a matter of the run.
 * Errors: USAGE where others were asked for.
 */
export function settingsOfAdapter({ lora }: Lora, asked: Partial<TrainingSettings>): Pick<TrainingSettings, 'loraRank' | 'loraAlpha' | 'targets'> {
  const own = { loraRank: lora.rank, loraAlpha: lora.alpha, targets: [...lora.targets] };
  for (const [name, value] of Object.entries(own)) {
    const setting = name as keyof typeof own;
    if (asked[setting] !== undefined && String([asked[setting]].flat().toSorted()) !== String([value].flat().toSorted()))
      throw errors.usage(`The adapter that is gone on from has ${optionOf(setting)} ${String(value)}: leave ${optionOf(setting)} out.`);
  }
  return own;
}
