import { appendFile, open, readFile } from 'node:fs/promises';
import { z } from 'zod';
import { errors } from '../errors.ts';
import { reason, writeFileAtomically } from '../files.ts';

/** What an evaluation decides by. */
export type EvaluationMetric = 'loss' | 'ndcgAt10';

/** Where a step ended with an evaluation. */
export interface StepEvaluation {
  readonly metric: EvaluationMetric;
  readonly value: number;
  /** Beside nDCG@10. */
  readonly mrrAt10?: number | undefined;
}

/** A line of metrics.jsonl: a step as it was done. */
export interface StepMetrics {
  /** Counted from 1. */
  readonly step: number;
  /** Mean of the batch before the step, in nats. */
  readonly loss: number;
  /** Before clipping. */
  readonly gradNorm: number;
  readonly lr: number;
  readonly tokens: number;
  readonly seconds: number;
  /** Rows of the batch that had nothing to encode and were left out; no such key where there were none. */
  readonly skipped?: number;
  readonly evaluation?: StepEvaluation;
}

const line = z.object({ step: z.number(), loss: z.number(), tokens: z.number(), seconds: z.number() }).loose();

/** The file with a line a step. */
export class MetricsFile {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Adds a line. Errors: WRITE_FAILED. */
  async append(metrics: StepMetrics): Promise<void> {
    await this.#writing(() => appendFile(this.#path, `${JSON.stringify(metrics)}\n`));
  }

  /** Has the lines on the disk before a state is saved that has seen their steps. Errors: WRITE_FAILED. */
  async sync(): Promise<void> {
    await this.#writing(async () => {
      const file = await open(this.#path, 'a');
      await file.sync().finally(() => file.close());
    });
  }

  /**
   * The lines up to a step. What a killed process wrote past the state that is gone on from goes, and so does a line that
   * it left unfinished. Errors: WRITE_FAILED.
   */
  async keep(lastStep: number): Promise<StepMetrics[]> {
    const text = await readFile(this.#path, 'utf8').catch(() => '');
    const kept = text.split('\n').flatMap((row) => {
      try {
        const metrics = line.parse(JSON.parse(row)) as unknown as StepMetrics;
        return metrics.step <= lastStep ? [{ row, metrics }] : [];
      } catch {
        return [];
      }
    });
    await writeFileAtomically(this.#path, kept.map(({ row }) => `${row}\n`).join(''));
    return kept.map(({ metrics }) => metrics);
  }

  async #writing<T>(work: () => Promise<T>): Promise<T> {
    return work().catch((error: unknown) => {
      throw errors.writeFailed(`${this.#path} cannot be written: ${reason(error)}.`, error);
    });
  }
}
