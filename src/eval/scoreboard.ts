import { compare, type Contestant, type Differences, type EvaluateProgress, type SystemScore } from './system.ts';
import { mainMetrics } from './tasks/kinds.ts';
import type { Task } from './tasks/task.ts';

/** How a system did on a task, and by how much it is better than those it is measured beside. */
export interface Standing {
  readonly score: SystemScore;
  /** Undefined for BM25 itself, and where it has no say. */
  readonly againstBm25: Differences | undefined;
  /** The base model in the same variant; undefined where there is none. */
  readonly againstBase: { readonly system: string; readonly differences: Differences } | undefined;
}

/** One task and all that was measured on it, in the order in which it came. */
export class Scoreboard {
  readonly task: Task;
  readonly #seed: number;
  readonly #standings: Standing[] = [];
  readonly #notes: string[] = [];

  /** @param seed the bootstrap's */
  constructor(task: Task, seed: number) {
    this.task = task;
    this.#seed = seed;
    if (task.baseline !== undefined) this.#standings.push({ score: task.baseline, againstBm25: undefined, againstBase: undefined });
  }

  get standings(): readonly Standing[] {
    return this.#standings;
  }

  /** What a person should know of the measuring. */
  get notes(): readonly string[] {
    return this.#notes;
  }

  /** Measures an encoder. Errors: NOTHING_TO_POOL, NOT_FINITE, BAD_DATA, ENGINE, CANCELLED. */
  async *add(contestant: Contestant, signal: AbortSignal | undefined): AsyncGenerator<EvaluateProgress, readonly SystemScore[]> {
    const { baseline } = this.task;
    const { systems, notes } = yield* this.task.evaluate(contestant, signal);
    for (const score of systems) {
      const againstBm25 = baseline === undefined ? undefined : compare(score, baseline, this.#seed);
      this.#standings.push({ score, againstBm25, againstBase: undefined });
    }
    this.#notes.push(...notes);
    return systems;
  }

  /** Sets what a model scored beside what its base scored, variant by variant. */
  compareWithBase(model: readonly SystemScore[], base: readonly SystemScore[]): void {
    for (const [i, standing] of this.#standings.entries()) {
      const { score } = standing;
      const own = model.includes(score) ? base.find(({ variant }) => variant === score.variant) : undefined;
      if (own === undefined || own === score) continue;
      this.#standings[i] = { ...standing, againstBase: { system: own.system, differences: compare(score, own, this.#seed) } };
    }
  }
}

/** The metric that counts, of a system on a task. */
export function mainScore({ kind }: Task, { metrics }: SystemScore): number {
  return metrics[mainMetrics[kind].metric]!;
}

/** A system's mean over several tasks. */
export interface Average {
  readonly system: string;
  readonly score: number;
  readonly tasks: number;
}

/**
 * The mean of the metrics that count over all tasks, for what was measured on each of them. Where calibrating changes
 * nothing and was not measured, what the vectors as they are have counts for both.
 */
export function averages(boards: readonly Scoreboard[]): Average[] {
  const systems = new Map(boards.flatMap(({ standings }) => standings.map(({ score }) => [score.system, score] as const)));
  return [...systems.values()].flatMap(({ system, variant, model }) => {
    const scores = boards.flatMap(({ task, standings }) => {
      const own = standings.find(({ score }) => score.system === system);
      const same = variant === 'calibrated' ? standings.find(({ score }) => score.model === model && score.variant === 'raw') : undefined;
      const found = own ?? same;
      return found === undefined ? [] : [mainScore(task, found.score)];
    });
    return scores.length < boards.length ? [] : [{ system, score: scores.reduce((sum, score) => sum + score, 0) / scores.length, tasks: boards.length }];
  });
}
