import type { RejectedRow } from '../../data/triplet.ts';
import type { TaskTexts, TaskVectors } from '../embed.ts';
import type { Contestant, EvaluateProgress, SystemScore } from '../system.ts';
import type { TaskReading } from './rows.ts';

/** What an encoder can be asked to do: the kinds of the paper's benchmark. */
export type TaskKind = 'retrieval' | 'reranking' | 'sts' | 'pair-classification' | 'classification' | 'clustering';

/** The files of a task, and what its own settings say of them. */
export interface TaskFiles {
  /** The rows that are asked. */
  readonly test: string;
  /** The rows that are learned from; undefined where the task has none. */
  readonly train: string | undefined;
  readonly samplesPerLabel: number | undefined;
}

/** How well one set of vectors does, by metric, and what a person should know of it. */
export interface Measured extends Pick<SystemScore, 'metrics' | 'each'> {
  readonly notes: readonly string[];
}

/** A kind of task that is done with vectors alone. */
export interface VectorKind<Data> {
  /** The fields by which a row is recognised, each in every spelling that benchmarks have. */
  readonly fields: ReadonlyArray<readonly string[]>;
  /** Errors: BAD_DATA, NOT_FOUND, CANCELLED. */
  readonly read: (files: TaskFiles, reading: TaskReading) => Promise<Data>;
  /** How much there is of what, for a report. */
  readonly size: (data: Data) => Readonly<Record<string, number>>;
  readonly texts: (data: Data) => TaskTexts;
  /** `vectors` are those of `texts`, in their order. Errors: NOT_FINITE, BAD_DATA, CANCELLED. */
  readonly measure: (data: Data, vectors: TaskVectors, run: { readonly seed: number; readonly signal: AbortSignal | undefined }) => AsyncGenerator<EvaluateProgress, Measured>;
  /** True where moving all vectors by one changes nothing. */
  readonly shiftInvariant: boolean;
}

/** A task that has been read, and that encoders can be measured on. */
export interface Task {
  readonly name: string;
  readonly kind: TaskKind;
  /** Stands before queries in place of the checkpoint's own; empty for none, undefined where the task says nothing. */
  readonly instruction: string | undefined;
  readonly size: Readonly<Record<string, number>>;
  readonly rejected: readonly RejectedRow[];
  /** SHA-256 over what was read, hexadecimal. */
  readonly fingerprint: string;
  /** How well it goes without an encoder; undefined where it does not. */
  readonly baseline: SystemScore | undefined;
  /** Errors: NOTHING_TO_POOL, NOT_FINITE, BAD_DATA, ENGINE, CANCELLED. */
  readonly evaluate: (contestant: Contestant, signal: AbortSignal | undefined) => AsyncGenerator<EvaluateProgress, Evaluated>;
}

export interface Evaluated {
  readonly systems: readonly SystemScore[];
  readonly notes: readonly string[];
}
