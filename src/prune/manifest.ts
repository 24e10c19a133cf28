import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { calibrationKinds, type Calibration } from '../encoder/calibration.ts';
import { attentions, poolings } from '../encoder/settings.ts';
import { errors, L3PruneError } from '../errors.ts';
import { reason } from '../files.ts';
import { parseJson } from '../models/json.ts';
import { trainingRecord } from '../train/record.ts';

/** The file that makes a folder one of our checkpoints. */
export const manifestFile = 'l3prune.json';
/** Where a checkpoint keeps what training has made, in PEFT's format. */
export const adapterFolder = 'adapter';
/** The format that is written. */
export const manifestFormat = 2;

const count = z.number().int().positive();
const finite = z.number();

export const depthSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('layers'), layers: count }),
  z.object({ kind: z.literal('percent'), percent: finite }),
  z.object({ kind: z.literal('small') }),
  z.object({ kind: z.literal('large') }),
]);

export const encoderSettings = z.object({
  attention: z.enum(attentions as ['causal', 'bidirectional']),
  pooling: z.enum(poolings as ['weighted_mean', 'mean', 'last_token', 'first_token']),
  maxLength: count,
  /** What stands before a query, and between it and the query; documents have neither. */
  instruction: z.string().optional(),
  separator: z.string(),
});

const calibrationKind = z.enum(calibrationKinds as ['mean', 'router']);

const choice = z.array(z.tuple([count, finite]));
const cut = { small: count, large: count };
const byLayer = {
  ...cut,
  layers: z.array(z.object({ layer: count, loss: finite, stderr: finite })),
  confidence: z.object({ small: choice, large: choice }),
  scales: z.record(z.string(), z.object({ ...cut, losses: z.array(finite), stderr: z.array(finite) })),
};
const lossCurveFields = z.object({
  ...byLayer,
  /** The same with each vector calibrated; a curve that an earlier version measured has none. */
  calibrated: z.object({ ...byLayer, calibration: calibrationKind }).optional(),
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

/** Its parts have to speak of the same layers: a cut is made where they say. */
export const lossCurve = lossCurveFields.superRefine((curve, context) => {
  const { layers, model, calibrated } = curve;
  const length = layers.length;
  if (length === 0 || length > model.layers)
    context.addIssue({ code: 'custom', path: ['layers'], message: `has ${length} losses of a model with ${model.layers} layers` });
  const parts = [{ path: [], of: curve }, ...(calibrated === undefined ? [] : [{ path: ['calibrated'], of: calibrated }])];
  for (const { path, of } of parts) {
    const { layers, small, large, scales } = of;
    const wrong = (name: string, message: string): void => context.addIssue({ code: 'custom', path: [...path, name], message });
    if (layers.length !== length) wrong('layers', 'has another number of layers');
    if (layers.some(({ layer }, i) => layer !== i + 1)) wrong('layers', 'are not numbered from 1 on');
    for (const [name, cut] of [['', { small, large }], ...Object.entries(scales)] as const)
      if (cut.small > cut.large || cut.large > length) wrong(name === '' ? 'large' : `scales.${name}`, `cuts at ${cut.small} and ${cut.large} of ${length} layers`);
    for (const [name, { losses, stderr }] of Object.entries(scales))
      if (losses.length !== length || stderr.length !== length) wrong(`scales.${name}`, 'has another number of layers');
  }
});

const stepFields = {
  date: z.string(),
  from: z.object({ name: z.string(), fingerprint: z.string(), layers: count }),
  layers: count,
  depth: depthSchema,
};

const manifest = z.object({
  /** Of this file; a reader refuses one it does not know. In format 1 no calibration was part of the encoder. */
  format: z.literal([1, manifestFormat]),
  createdBy: z.string(),
  created: z.string(),
  /** The model that the first cut was made from. */
  base: z.object({ name: z.string(), fingerprint: z.string(), layers: count }),
  layers: count,
  encoder: encoderSettings,
  /** Every step from the base to this folder, first to last. */
  history: z.array(
    z.discriminatedUnion('step', [
      z.object({ step: z.literal('prune'), ...stepFields }),
      z.object({ step: z.literal('train'), ...stepFields, training: trainingRecord }),
    ]),
  ),
  /** The curve that the last cut was chosen by; null where it was chosen without one. */
  curve: lossCurve.nullable(),
  /** What the folder's modules do to a vector after pooling, measured on so many triplets; null where they do nothing. */
  calibration: z.object({ kind: calibrationKind, components: z.number().int().nonnegative(), rows: count }).nullable().default(null),
  /** The LoRA in `adapter/`: part of the weights beside it, or kept apart and applied by every command of ours. */
  adapter: z.object({ merged: z.boolean() }).nullable().default(null),
});

export type Manifest = z.infer<typeof manifest>;
export type CheckpointEncoderSettings = z.infer<typeof encoderSettings>;

/** What a manifest says of a calibration. */
export function describeCalibration(calibration: Calibration | undefined): Manifest['calibration'] {
  if (calibration === undefined) return null;
  const { kind, components, rows } = calibration;
  return { kind, components, rows };
}

/** The largest manifest or curve that is read, in bytes; a curve of 1,000 layers takes a third of it. */
const mostBytes = 1 << 20;

/** The manifest of a folder, or undefined where it has none. Errors: BAD_MANIFEST. */
export async function readManifest(directory: string): Promise<Manifest | undefined> {
  const path = join(directory, manifestFile);
  const bytes = await readSmall(path);
  return bytes === undefined ? undefined : parseManifest(path, bytes);
}

/** The bytes of a manifest; `path` is for the sentence. Errors: BAD_MANIFEST. */
export function parseManifest(path: string, bytes: Uint8Array): Manifest {
  return parse(path, bytes, manifest, 'a manifest');
}

/** A loss curve as `profile --json` prints it. Errors: NOT_FOUND, BAD_MANIFEST. */
export async function readCurve(path: string): Promise<z.infer<typeof lossCurve>> {
  const bytes = await readSmall(path);
  if (bytes === undefined) throw errors.notFound(`There is no curve at ${path}.`);
  return parseCurve(path, bytes);
}

/** The bytes of a loss curve; `path` is for the sentence. Errors: BAD_MANIFEST. */
export function parseCurve(path: string, bytes: Uint8Array): z.infer<typeof lossCurve> {
  return parse(path, bytes, lossCurve, 'a loss curve');
}

async function readSmall(path: string): Promise<Uint8Array | undefined> {
  try {
    const found = await stat(path);
    if (!found.isFile()) throw errors.badManifest(`${path} is not a file.`);
    if (found.size > mostBytes) throw errors.badManifest(`${path} is ${found.size} bytes long: no file of ours is longer than ${mostBytes}.`);
    return await readFile(path);
  } catch (error) {
    if (error instanceof L3PruneError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw errors.badManifest(`${path} cannot be read: ${reason(error)}.`, error);
  }
}

function parse<S extends z.ZodType>(path: string, bytes: Uint8Array, schema: S, what: string): z.infer<S> {
  let json: unknown;
  try {
    json = parseJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    const clause = error instanceof TypeError ? 'it is not UTF-8' : (error as Error).message;
    throw errors.badManifest(`${path} is not ${what}: ${clause}.`, error);
  }
  const result = schema.safeParse(json, { error: ({ input }) => (input === undefined ? 'it is missing' : undefined) });
  if (result.success) return result.data;
  const { path: place = [], message = '' } = result.error.issues[0] ?? {};
  const where = place.length === 0 ? '' : `${place.join('.').slice(0, 100)}: `;
  throw errors.badManifest(`${path} is not ${what} of this version: ${where}${message.slice(0, 200)}.`);
}
