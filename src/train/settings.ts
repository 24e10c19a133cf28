import { z } from 'zod';
import { loraTargets } from '../encoder/lora.ts';
import { attentions, poolings } from '../encoder/settings.ts';

const count = z.number().int().positive();
const share = z.number().min(0).lt(1);

/** Every setting that decides the numbers of a run. They are kept with it, and a resumed run has to have the same. */
export const trainingSettings = z.object({
  layers: count,
  loraRank: count,
  loraAlpha: z.number().positive(),
  dropout: share,
  targets: z.array(z.enum(loraTargets)).min(1),
  lr: z.number().positive(),
  warmup: z.number().int().min(0),
  steps: count,
  batchSize: z.number().int().min(2),
  weightDecay: z.number().min(0),
  clip: z.number().positive(),
  scale: z.number().positive(),
  seed: z.number().int(),
  order: z.enum(['shuffled', 'file']),
  maxLength: count,
  attention: z.enum(attentions as ['causal', 'bidirectional']),
  pooling: z.enum(poolings as ['weighted_mean', 'mean', 'last_token', 'first_token']),
  /** Between a query's instruction and the query. */
  separator: z.string(),
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
  weightDecay: 0,
  clip: 1,
  scale: 50,
  seed: 42,
  order: 'shuffled',
  maxLength: 512,
  attention: 'causal',
  pooling: 'weighted_mean',
  separator: '; ',
};
