/**
 * What the benches of the index do in a process of its own: `node search-child.mjs TASK`, a `Task` in JSON. The answer, a
 * line of JSON on standard output, is the task's of `Answers`.
 */
import { setTimeout } from 'node:timers/promises';
import { L3PruneError } from '../../src/errors.ts';
import { IndexEncoder } from '../../src/index/encoder.ts';
import { WorkspaceSearch } from '../../src/index/search/search.ts';
import type { EncoderSource } from '../../src/index/store/types.ts';

interface Where {
  readonly home: string;
  readonly threads: number;
}

export interface Tasks {
  /** Nothing: what a process takes anyway. */
  readonly idle: Record<never, never>;
  /** Opens an encoder alone and embeds a query. */
  readonly encoder: Where & { readonly source: EncoderSource; readonly query: string };
  /** Opens the index of a workspace with its encoder and answers queries. */
  readonly search: Where & { readonly workspace: string; readonly queries: readonly string[] };
  /** Asks for words until a workspace's index, which may not be there yet, has an answer. */
  readonly poll: Where & { readonly workspace: string; readonly query: string };
}

export interface Answers {
  readonly idle: Record<never, never>;
  readonly encoder: Record<never, never>;
  /** Seconds from the start of the process until every part was open, and until the first query was answered. */
  readonly search: { readonly readySeconds: number; readonly firstSeconds: number; readonly chunks: number };
  /** When it came, as `Date.now()` has it, and how many files were in the index by then. */
  readonly poll: { readonly time: number; readonly files: number };
}

export type TaskName = keyof Tasks;
export type Task = { readonly [K in TaskName]: { readonly name: K; readonly with: Tasks[K] } }[TaskName];

const pollMilliseconds = 10;

const doing: { readonly [K in TaskName]: (task: Tasks[K]) => Promise<Answers[K]> } = {
  // Long enough for its memory to be read.
  idle: () => setTimeout(500, {}),
  async encoder({ home, threads, source, query }) {
    const encoder = await IndexEncoder.open(source, { home, threads, engine: 'onnx' });
    await encoder.embedQuery(query);
    await encoder.dispose();
    return {};
  },
  async search({ home, threads, workspace, queries }) {
    const search = await WorkspaceSearch.open(workspace, { home, threads, engine: 'onnx', patienceMilliseconds: Infinity });
    await search.ready();
    const readySeconds = performance.now() / 1000;
    let firstSeconds = NaN;
    for (const query of queries) {
      const { hits } = await search.search({ query, limit: 10, mode: 'hybrid' });
      if (hits.every(({ cosine }) => cosine === undefined)) throw new Error(`No vector answered ${query}.`);
      if (Number.isNaN(firstSeconds)) firstSeconds = performance.now() / 1000;
    }
    const { chunks } = search.status();
    await search.close();
    return { readySeconds, firstSeconds, chunks };
  },
  async poll({ home, threads, workspace, query }) {
    let search: WorkspaceSearch | undefined;
    for (;;) {
      search ??= await WorkspaceSearch.open(workspace, { home, threads, engine: 'onnx', patienceMilliseconds: 0 }).catch(orMissing);
      const found = await search?.search({ query, limit: 10, mode: 'lexical' });
      if (found !== undefined && found.hits.length > 0) {
        const time = Date.now();
        await search!.close();
        return { time, files: found.index.files };
      }
      await setTimeout(pollMilliseconds);
    }
  },
};

/** There is none yet, or it is being made. */
function orMissing(error: unknown): undefined {
  if (error instanceof L3PruneError && (error.code === 'NOT_FOUND' || error.code === 'BUSY')) return undefined;
  throw error;
}

const task = JSON.parse(process.argv[2]!) as Task;
const answer = await (doing[task.name] as (task: unknown) => Promise<unknown>)(task.with);
process.stdout.write(`${JSON.stringify(answer)}\n`);
