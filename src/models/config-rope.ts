import { z } from 'zod';
import { errors } from '../errors.ts';
import type { DecoderConfig, RopeScaling } from './types.ts';

const positive = z.number().positive().max(1e12);

/** Keys that either spelling of the rule may carry beside its own parameters. */
const shared = {
  rope_type: z.string().optional(),
  type: z.string().optional(),
  rope_theta: positive.optional(),
  partial_rotary_factor: z.literal(1).nullish(),
};

/** A rule's parameters, in config.json's names, and what they become. Strict: a parameter that is not read is refused. */
const RULES = {
  default: [z.strictObject({ ...shared, factor: z.literal(1).nullish() }), () => ({ type: 'default' })],
  linear: [z.strictObject({ ...shared, factor: positive }), ({ factor }) => ({ type: 'linear', factor })],
  llama3: [
    z.strictObject({
      ...shared,
      factor: positive,
      low_freq_factor: positive,
      high_freq_factor: positive,
      original_max_position_embeddings: z.int().positive().max(2 ** 31),
    }),
    (p) => ({
      type: 'llama3',
      factor: p.factor,
      lowFrequencyFactor: p.low_freq_factor,
      highFrequencyFactor: p.high_freq_factor,
      originalMaxPositions: p.original_max_position_embeddings,
    }),
  ],
} satisfies { [K in RopeScaling['type']]: readonly [z.ZodType, (parameters: Parameters) => RopeScaling & { type: K }] };

/** Every parameter that a rule above reads; its schema has made sure that it is there. */
interface Parameters {
  readonly factor: number;
  readonly low_freq_factor: number;
  readonly high_freq_factor: number;
  readonly original_max_position_embeddings: number;
}

/**
 * The rotary embedding's base and rule, from `rope_theta` and `rope_scaling` (transformers 4, `type` or `rope_type`)
 * or `rope_parameters` (transformers 5). Throws `BAD_CONFIG` or `UNSUPPORTED`.
 */
export function parseRope(
  raw: Readonly<Record<string, unknown>>,
  defaultTheta: number,
  file: string,
): Pick<DecoderConfig, 'ropeTheta' | 'ropeScaling'> {
  const { rope_scaling: old, rope_parameters: recent } = raw;
  if (isGiven(old) && isGiven(recent) && !sameRule(old, recent))
    throw errors.badConfig(`${file}: rope_scaling and rope_parameters say different things.`);
  const key = isGiven(recent) ? 'rope_parameters' : 'rope_scaling';
  const rule = parseRule(raw[key] ?? {}, key, file);
  const thetas = [raw.rope_theta, rule.theta].filter((theta) => theta !== undefined && theta !== null);
  const theta = positive.safeParse(thetas[0] ?? defaultTheta);
  if (!theta.success) throw errors.badConfig(`${file}: rope_theta is not a positive number.`);
  if (thetas.some((other) => other !== theta.data))
    throw errors.badConfig(`${file}: rope_theta is given twice, with different values.`);
  return { ropeTheta: theta.data, ropeScaling: rule.scaling };
}

function parseRule(value: unknown, key: string, file: string): { scaling: RopeScaling; theta: number | undefined } {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw errors.badConfig(`${file}: ${key} is not an object.`);
  const given = value as Record<string, unknown>;
  const type = given.rope_type ?? given.type ?? 'default';
  if (given.rope_type !== undefined && given.type !== undefined && given.rope_type !== given.type)
    throw errors.badConfig(`${file}: ${key} names two types, ${String(given.rope_type)} and ${String(given.type)}.`);
  if (typeof type !== 'string' || !Object.hasOwn(RULES, type))
    throw errors.unsupported(
      `${file}: rotary embeddings of type ${JSON.stringify(type)?.slice(0, 100)} are not implemented; these are: ${Object.keys(RULES).join(', ')}.`,
    );
  const [schema, build] = RULES[type as RopeScaling['type']];
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    if (issue.code === 'unrecognized_keys')
      throw errors.unsupported(`${file}: ${key}.${issue.keys[0]} is not implemented for the type ${type}.`);
    throw errors.badConfig(`${file}: ${key}.${issue.path.join('.')} is not what the type ${type} needs.`);
  }
  const scaling = build(parsed.data as unknown as Parameters);
  if (scaling.type === 'llama3' && scaling.lowFrequencyFactor >= scaling.highFrequencyFactor)
    throw errors.badConfig(`${file}: ${key}.low_freq_factor is not below high_freq_factor.`);
  return { scaling, theta: (parsed.data as { rope_theta?: number }).rope_theta };
}

function isGiven(value: unknown): value is object {
  return value !== undefined && value !== null;
}

/** Whether two spellings of a rule agree, the base frequency and the name of the type apart. */
function sameRule(a: object, b: object): boolean {
  const normal = (rule: object): string => {
    const { type, rope_type: ropeType, rope_theta: _theta, ...rest } = rule as Record<string, unknown>;
    return JSON.stringify(Object.entries({ ...rest, type: ropeType ?? type }).toSorted(([x], [y]) => (x < y ? -1 : 1)));
  };
  return normal(a) === normal(b);
}
