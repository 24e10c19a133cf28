import en from 'zod/v4/locales/en.js';
import * as z from 'zod/mini';
import { errors } from '../errors.ts';
import type { PruneJob } from '../protocol/prune.ts';

z.config(en());

const depth = z.union([
  z.strictObject({ kind: z.enum(['small', 'large']) }),
  z.strictObject({ kind: z.literal('layers'), layers: z.int().check(z.positive()) }),
  z.strictObject({ kind: z.literal('percent'), percent: z.number().check(z.gte(1), z.lt(100)) }),
]);

const count = z.int().check(z.positive());

const schema = z.strictObject({
  model: z.optional(z.string().check(z.minLength(1))),
  data: z.optional(z.strictObject({ kind: z.enum(['triplets', 'workspace']), path: z.string().check(z.minLength(1)) })),
  depths: z.optional(z.array(depth).check(z.minLength(1))),
  settings: z.optional(
    z.partial(
      z.strictObject({
        batchSize: count,
        batches: count,
        maxLength: count,
        attention: z.enum(['causal', 'bidirectional']),
        pooling: z.enum(['weighted_mean', 'mean', 'last_token', 'first_token']),
        separator: z.string(),
        scale: z.number().check(z.positive()),
        seed: z.int().check(z.nonnegative()),
        order: z.enum(['shuffled', 'file']),
      }),
    ),
  ),
});

/**
 * The job that a caller of `l3prune.pruneModel` described with an object; what it left out comes from `defaults`. Throws
 * `USAGE` with the first thing that is wrong.
 */
export function parsePruneArguments(
  given: unknown,
  defaults: Omit<PruneJob, 'data'> & { readonly data: PruneJob['data'] | undefined },
): PruneJob {
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue?.path.join('.') || 'the argument';
    throw errors.usage(`l3prune.pruneModel was called with an argument that it does not understand: ${where}: ${issue?.message ?? ''}.`);
  }
  const { model = defaults.model, data = defaults.data, depths = defaults.depths, settings = {} } = parsed.data;
  if (data === undefined) throw errors.usage('No folder is open: name the data, or open the folder whose code shall be used.');
  return { model, data, depths, settings: { ...defaults.settings, ...(settings as PruneJob['settings']) } };
}
