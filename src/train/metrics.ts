import { appendFile, readFile } from 'node:fs/promises';
import { z } from 'zod';
import { errors } from '../errors.ts';
import { reason, writeFileAtomically } from '../files.ts';

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
  /** Where the step ended with an evaluation. */
  readonly evaluation?: { readonly metric: string; readonly value: number };
}

const line = z.object({ step: z.number() }).loose();

/** Adds a line. Errors: WRITE_FAILED. */
export async function appendMetrics(path: string, metrics: StepMetrics): Promise<void> {
  await appendFile(path, `${JSON.stringify(metrics)}\n`).catch((error: unknown) => {
    throw errors.writeFailed(`${path} cannot be written: ${reason(error)}.`, error);
  });
}

/** Drops what a killed process wrote past the state that is gone on from, and a line that it left unfinished. */
export async function truncateMetrics(path: string, lastStep: number): Promise<StepMetrics[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const kept = text.split('\n').filter((row) => {
    try {
      return line.parse(JSON.parse(row)).step <= lastStep;
    } catch {
      return false;
    }
  });
  await writeFileAtomically(path, kept.map((row) => `${row}\n`).join(''));
  return kept.map((row) => JSON.parse(row) as StepMetrics);
}
