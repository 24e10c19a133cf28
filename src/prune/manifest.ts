import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { attentions, poolings } from '../encoder/settings.ts';
import { errors } from '../errors.ts';

/** The file that makes a folder one of our checkpoints. */
export const manifestFile = 'l3prune.json';
/** Vectors that search takes off, [1, hiddenSize] each, named below. */
export const calibrationFile = 'calibration.safetensors';
export const calibrationTensors = { query: 'query_mean', document: 'document_mean' } as const;

const count = z.number().int().positive();
const finite = z.number();

const depth = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('layers'), layers: count }),
  z.object({ kind: z.literal('percent'), percent: finite }),
  z.object({ kind: z.literal('small') }),
  z.object({ kind: z.literal('large') }),
]);

const encoderSettings = z.object({
  attention: z.enum(attentions as ['causal', 'bidirectional']),
  pooling: z.enum(poolings as ['weighted_mean', 'mean', 'last_token', 'first_token']),
  maxLength: count,
  /** What stands before a query, and between it and the query; documents have neither. */
  instruction: z.string().optional(),
  separator: z.string(),
});

const choice = z.array(z.tuple([count, finite]));
const cut = { small: count, large: count };
const lossCurve = z.object({
  ...cut,
  layers: z.array(z.object({ layer: count, loss: finite, stderr: finite })),
  confidence: z.object({ small: choice, large: choice }),
  scales: z.record(z.string(), z.object({ ...cut, losses: z.array(finite), stderr: z.array(finite) })),
  warnings: z.array(z.string()),
  settings: z.object({
    batchSize: count,
    batches: count,
    maxLength: count,
    attention: encoderSettings.shape.attention,
    pooling: encoderSettings.shape.pooling,
    separator: z.string(),
    scale: finite,
    seed: z.number().int(),
    order: z.enum(['shuffled', 'file']),
  }),
  model: z.object({ name: z.string(), fingerprint: z.string(), layers: count }),
  data: z.object({ fingerprint: z.string(), triplets: count, skipped: z.number().int() }),
  tokens: finite,
  fill: finite,
  seconds: finite,
  peakBytes: finite,
});

const manifest = z.object({
  /** Of this file; a reader refuses one it does not know. */
  format: z.literal(1),
  createdBy: z.string(),
  created: z.string(),
  /** The model that the first cut was made from. */
  base: z.object({ name: z.string(), fingerprint: z.string(), layers: count }),
  layers: count,
  encoder: encoderSettings,
  /** Every step from the base to this folder, first to last. */
  history: z.array(
    z.object({
      step: z.literal('prune'),
      date: z.string(),
      from: z.object({ name: z.string(), fingerprint: z.string(), layers: count }),
      layers: count,
      depth,
    }),
  ),
  /** The curve that the last cut was chosen by; null where it was chosen without one. */
  curve: lossCurve.nullable(),
  calibrated: z.boolean(),
});

export type Manifest = z.infer<typeof manifest>;
export type CheckpointEncoderSettings = z.infer<typeof encoderSettings>;

/** The largest manifest or curve that is read, in bytes; a curve of 1,000 layers takes a third of it. */
const mostBytes = 1 << 20;

/** The manifest of a folder, or undefined where it has none. Errors: BAD_MANIFEST. */
export async function readManifest(directory: string): Promise<Manifest | undefined> {
  const path = join(directory, manifestFile);
  const text = await readSmall(path);
  return text === undefined ? undefined : parse(path, text, manifest, 'a manifest');
}

/** A loss curve as `profile --json` prints it. Errors: NOT_FOUND, BAD_MANIFEST. */
export async function readCurve(path: string): Promise<z.infer<typeof lossCurve>> {
  const text = await readSmall(path);
  if (text === undefined) throw errors.notFound(`There is no curve at ${path}.`);
  return parse(path, text, lossCurve, 'a loss curve');
}

async function readSmall(path: string): Promise<string | undefined> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw errors.badManifest(`${path} cannot be read (${error.code ?? 'unknown reason'}).`, error);
  });
  if (bytes !== undefined && bytes.length > mostBytes)
    throw errors.badManifest(`${path} is ${bytes.length} bytes long: no file of ours is longer than ${mostBytes}.`);
  return bytes?.toString('utf8');
}

function parse<S extends z.ZodType>(path: string, text: string, schema: S, what: string): z.infer<S> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw errors.badManifest(`${path} is not valid JSON: make it again.`, cause);
  }
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw errors.badManifest(`${path} is not ${what} of this version: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}.`);
}
