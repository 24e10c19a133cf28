import { z } from 'zod';
import { trainingSettings } from './settings.ts';

const finite = z.number();
const count = z.number().int().min(0);

/** How well a training did on texts it never saw, after so many steps; `value` is what decides. */
const evaluated = z.object({ step: count, value: finite });

/** What a checkpoint's manifest keeps of the training that made it. */
export const trainingRecord = z.object({
  settings: trainingSettings,
  /** Fingerprint of the adapter that it began with; null where it began anew. */
  adapter: z.string().nullable(),
  data: z.object({ fingerprint: z.string(), rows: count, rejected: count, repeated: count }),
  /** Steps that were done, and the one whose parameters were kept. */
  steps: count,
  step: count,
  /** Mean losses in nats: of the first and of the last batches, and the lowest of so many in a row. */
  loss: z.object({ first: finite, last: finite, lowest: finite, window: count }),
  /** `[step, loss]`, each the mean of the steps since the entry before. */
  curve: z.array(z.tuple([count, finite])),
  evaluation: z
    .object({ metric: z.enum(['loss', 'ndcgAt10']), fingerprint: z.string(), before: finite, best: evaluated, last: evaluated })
    .nullable(),
  tokens: finite,
  seconds: finite,
});

export type TrainingRecord = z.infer<typeof trainingRecord>;
