import { isBeir, readBeir } from '../beir.ts';
import { readCorpus, type Corpus } from '../corpus.ts';
import { calibrated, embedTexts, onlyMoves } from '../embed.ts';
import { evaluateRetrieval, rankLexically } from '../retrieval.ts';
import { systemName, type EvaluateProgress, type SystemScore, type Variant } from '../system.ts';
import { TaskReading } from './rows.ts';
import type { Task, TaskFiles, TaskKind, VectorKind } from './task.ts';

/** What is known of a task before its files are read. */
export type TaskIdentity = Pick<Task, 'name' | 'instruction'>;

/** How tasks are read. */
export interface ReadOptions {
  /** Of what is drawn: the training texts of a classification, the starts of a clustering. */
  readonly seed: number;
  readonly signal: AbortSignal | undefined;
}

/** The corpus of a folder, in our own layout or in BEIR's. Errors: NOT_FOUND, BAD_DATA, CANCELLED. */
export async function readRetrieval(folder: string, signal?: AbortSignal): Promise<Corpus> {
  return (await isBeir(folder, signal)) ? readBeir(folder, signal) : readCorpus(folder, signal);
}

/** Reads a retrieval task and ranks it by BM25. Errors: NOT_FOUND, BAD_DATA, CANCELLED. */
export async function* openRetrieval(folder: string, identity: TaskIdentity, { signal }: ReadOptions): AsyncGenerator<EvaluateProgress, Task> {
  const corpus = await readRetrieval(folder, signal);
  const baseline = yield* rankLexically(corpus, signal);
  return {
    ...identity,
    kind: 'retrieval',
    size: { documents: corpus.documents.length, queries: corpus.queries.length },
    rejected: corpus.rejected,
    fingerprint: corpus.fingerprint,
    baseline: baseline.score,
    async *evaluate(contestant, signal) {
      return { systems: yield* evaluateRetrieval(baseline, contestant, { instruction: identity.instruction, signal }), notes: [] };
    },
  };
}

/** Reads a task that is done with vectors alone. Errors: NOT_FOUND, BAD_DATA, CANCELLED. */
export async function openVectorTask<Data>(kindName: TaskKind, kind: VectorKind<Data>, files: TaskFiles, identity: TaskIdentity, options: ReadOptions): Promise<Task> {
  const reading = new TaskReading(options.seed, options.signal);
  const data = await kind.read(files, reading);
  return {
    ...identity,
    kind: kindName,
    size: kind.size(data),
    rejected: reading.rejections.rows,
    fingerprint: reading.fingerprint(),
    baseline: undefined,
    async *evaluate(contestant, signal) {
      const { name, calibration } = contestant;
      const raw = yield* embedTexts(contestant, kind.texts(data), identity.instruction, signal);
      const variants: Variant[] = kind.shiftInvariant && onlyMoves(calibration) ? ['raw'] : ['raw', 'calibrated'];
      const systems: SystemScore[] = [];
      const notes: string[] = [];
      for (const variant of variants) {
        const system = systemName(name, variant);
        const vectors = variant === 'raw' ? raw : calibrated(raw, calibration);
        const measured = yield* kind.measure(data, vectors, { seed: options.seed, signal });
        systems.push({ system, model: name, variant, metrics: measured.metrics, each: measured.each });
        notes.push(...measured.notes.map((note) => `${system}: ${note}`));
      }
      return { systems, notes };
    },
  };
}
