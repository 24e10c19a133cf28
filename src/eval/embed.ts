import { applyCalibration, roles, type Calibration, type Role } from '../encoder/calibration.ts';
import { vectorsOf } from '../encoder/vectors.ts';
import { subtractMean } from './cosine.ts';
import type { Contestant, EvaluateProgress } from './system.ts';

/**
 * The texts of a task by what they are to an encoder: queries carry the instruction, documents do not. Where all are of
 * one kind, as the sentences of a similarity task, all are queries.
 */
export type TaskTexts = Readonly<Record<Role, readonly string[]>>;

/** Their vectors, in the order of the texts. */
export type TaskVectors = Readonly<Record<Role, readonly Float32Array[]>>;

/**
 * Encodes a task's texts, each different one once. An instruction that is given replaces the checkpoint's own; an empty
 * one is none. Errors: NOTHING_TO_POOL, NOT_FINITE, ENGINE, CANCELLED.
 */
export async function* embedTexts(
  { name, encoder, settings }: Contestant,
  { query, document }: TaskTexts,
  instruction: string | undefined,
  signal?: AbortSignal,
): AsyncGenerator<EvaluateProgress, TaskVectors> {
  const before = instruction ?? settings.instruction ?? '';
  const own = before === '' ? {} : { instruction: before, separator: settings.separator };
  const queries = [...new Set(query)];
  const documents = [...new Set(document)];
  const prepared = [...queries.map((text) => encoder.prepare({ text, ...own })), ...documents.map((text) => encoder.prepare({ text }))];
  const vectors: Float32Array[] = [];
  let done = 0;
  for await (const { place, vector } of vectorsOf(encoder, prepared, signal)) {
    vectors[place] = vector;
    yield { what: `encoding with ${name}`, done: ++done, total: prepared.length };
  }
  const byQuery = new Map(queries.map((text, i) => [text, vectors[i]!]));
  const byDocument = new Map(documents.map((text, i) => [text, vectors[queries.length + i]!]));
  return { query: query.map((text) => byQuery.get(text)!), document: document.map((text) => byDocument.get(text)!) };
}

/** Whether `calibrated` moves all vectors of a role by one, and does nothing else to them. */
export function onlyMoves(calibration: Calibration | undefined): boolean {
  return calibration === undefined || roles.every((role) => calibration.maps[role].weight === undefined);
}

/** The vectors as the calibration has them, or with their own mean taken off, queries and documents apart. */
export function calibrated({ query, document }: TaskVectors, calibration: Calibration | undefined): TaskVectors {
  const of = (role: Role, vectors: readonly Float32Array[]): Float32Array[] =>
    calibration === undefined ? subtractMean(vectors) : applyCalibration(calibration, role, vectors);
  return { query: of('query', query), document: of('document', document) };
}
