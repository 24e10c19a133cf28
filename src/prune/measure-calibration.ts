import type { Triplet } from '../data/triplet.ts';
import type { Engine } from '../engine/engine.ts';
import { roles, type AffineMap, type Calibration, type CalibrationKind, type Role } from '../encoder/calibration.ts';
import { Encoder } from '../encoder/encoder.ts';
import type { EncoderInput } from '../encoder/prompt.ts';
import { vectorsOf } from '../encoder/vectors.ts';
import { errors } from '../errors.ts';
import type { Checkpoint } from '../models/types.ts';
import { leadingComponents } from './components.ts';
import type { CheckpointEncoderSettings } from './manifest.ts';

/** What is taken off: one mean or one a role, and so many leading principal components. */
export interface CalibrationRequest {
  readonly kind: CalibrationKind;
  readonly components: number;
}

/**
 * One mean and one component: the first component left by one mean is what sets queries apart from documents. Taking both
 * off asks nobody which text is which.
 */
export const defaultCalibration: CalibrationRequest = { kind: 'mean', components: 1 };

/** What a person may ask for; what is left out is the default's. */
export interface AskedCalibration {
  readonly calibrate?: CalibrationKind | 'none' | undefined;
  readonly components?: number | undefined;
}

/**
 * The calibration that was asked for, of what is measured on data or without any; undefined for none.
 * Errors: USAGE where what was asked for cannot be had.
 */
export function calibrationRequest({ calibrate, components }: AskedCalibration, hasData: boolean): CalibrationRequest | undefined {
  if (calibrate === 'none') {
    if (components) throw errors.usage('Components are taken off by a calibration: leave them out, or calibrate by mean or router.');
    return undefined;
  }
  if (!hasData && (calibrate !== undefined || components)) throw errors.usage('A calibration is measured on triplets: give the data.');
  if (!hasData) return undefined;
  return { kind: calibrate ?? defaultCalibration.kind, components: components ?? (calibrate === 'router' ? 0 : defaultCalibration.components) };
}

/** Errors: BAD_DATA for too few rows. */
export function checkCalibrationRows(rows: number, { components }: Pick<CalibrationRequest, 'components'>): void {
  if (rows >= 2 && 2 * rows > components) return;
  throw errors.badData(`${rows} rows are too few to calibrate by, with ${components} components taken off: give more data, or take fewer off.`);
}

export interface CalibrationProgress {
  readonly textsDone: number;
  readonly texts: number;
}

/** Rows that are encoded: for the mean, and for every component. */
const leastRows = 128;
const rowsPerComponent = 64;

/**
 * Measures a calibration on queries, as this encoder is asked them, and the texts that answer them. Of many rows
 * some hundred are taken, at equal distances. Yields progress after every run of the engine.
 *
 * With kind `mean` the centre c is the middle between the mean of queries and that of documents; with `router` each role
 * has its own. The components V [components, hiddenSize] are those of both roles' vectors together, each less its
 * centre. A vector x becomes (I − VᵀV)(x − c).
 *
 * Errors: BAD_DATA for too few rows, NOTHING_TO_POOL, NOT_FINITE, ENGINE, CANCELLED.
 */
export async function* measureCalibration(
  encoder: Encoder,
  triplets: readonly Triplet[],
  { kind, components }: CalibrationRequest,
  { instruction, separator }: Pick<CheckpointEncoderSettings, 'instruction' | 'separator'>,
  signal?: AbortSignal,
): AsyncGenerator<CalibrationProgress, Calibration> {
  const rows = evenly(triplets, Math.max(leastRows, rowsPerComponent * components));
  checkCalibrationRows(rows.length, { components });
  const asked: Omit<EncoderInput, 'text'> = instruction === undefined ? {} : { instruction, separator };
  const inputs = [...rows.map(({ query }) => ({ text: query, ...asked })), ...rows.map(({ positive }) => ({ text: positive }))];
  const vectors: Float32Array[] = [];
  let textsDone = 0;
  for await (const { place, vector } of vectorsOf(encoder, inputs.map((input) => encoder.prepare(input)), signal)) {
    vectors[place] = vector;
    yield { textsDone: ++textsDone, texts: inputs.length };
  }
  const byRole: Record<Role, readonly Float32Array[]> = { query: vectors.slice(0, rows.length), document: vectors.slice(rows.length) };
  return { kind, components, rows: rows.length, maps: mapsOf(byRole, kind, components) };
}

/**
 * The calibration of a model that has not been cut yet, at the depth it will be cut at. Errors: those of `Encoder.open`
 * and `measureCalibration`.
 */
export async function* calibrateAt(
  engine: Engine,
  checkpoint: Checkpoint,
  layers: number,
  triplets: readonly Triplet[],
  request: CalibrationRequest,
  settings: CheckpointEncoderSettings,
  signal?: AbortSignal,
): AsyncGenerator<CalibrationProgress, Calibration> {
  const encoder = await Encoder.open(engine, checkpoint, { ...settings, layers, output: 'last' });
  try {
    return yield* measureCalibration(encoder, triplets, request, settings, signal);
  } finally {
    await encoder.dispose();
  }
}

function mapsOf(vectors: Readonly<Record<Role, readonly Float32Array[]>>, kind: CalibrationKind, components: number): Calibration['maps'] {
  const own: Record<Role, Float64Array> = { query: mean(vectors.query), document: mean(vectors.document) };
  const middle = mean([own.query, own.document]);
  const centres = kind === 'mean' ? { query: middle, document: middle } : own;
  const centred = roles.flatMap((role) => vectors[role].map((vector) => Float64Array.from(vector, (x, i) => x - centres[role][i]!)));
  const directions = leadingComponents(centred, components);
  const query = affineMap(centres.query, directions);
  return { query, document: kind === 'mean' ? query : affineMap(centres.document, directions) };
}

/** x ↦ (I − VᵀV)(x − c) as weight and bias; directions V [components, hiddenSize], orthonormal. */
function affineMap(centre: Float64Array, directions: readonly Float64Array[]): AffineMap {
  const without = (x: Float64Array): Float64Array => {
    const products = directions.map((direction) => direction.reduce((sum, v, i) => sum + v * x[i]!, 0));
    return x.map((value, i) => directions.reduce((sum, direction, n) => sum - products[n]! * direction[i]!, value));
  };
  const bias = Float32Array.from(without(centre), (x) => -x);
  if (directions.length === 0) return { weight: undefined, bias };
  const size = centre.length;
  const weight = new Float32Array(size * size);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const projection = directions.reduce((sum, direction) => sum + direction[row]! * direction[column]!, 0);
      weight[row * size + column] = Number(row === column) - projection;
    }
  }
  return { weight, bias };
}

function mean(vectors: ReadonlyArray<Float32Array | Float64Array>): Float64Array {
  const sum = new Float64Array(vectors[0]!.length);
  for (const vector of vectors) for (let i = 0; i < sum.length; i++) sum[i]! += vector[i]! / vectors.length;
  return sum;
}

/** At most so many of a list, at equal distances. */
function evenly<T>(items: readonly T[], most: number): readonly T[] {
  if (items.length <= most) return items;
  return Array.from({ length: most }, (_, i) => items[Math.floor((i * items.length) / most)]!);
}
