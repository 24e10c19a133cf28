import { jobProgress, pruneModel } from '../../protocol/prune.ts';
import type { WorkerServer } from '../server.ts';

/** Profiles and cuts models, one job at a time. */
export function servePrune(server: WorkerServer, context: { readonly home: string; readonly threads: number | undefined }): void {
  const { home, threads } = context;
  server.onJob(pruneModel, jobProgress, async function* (params, signal) {
    // Loaded when it is needed: it brings the engine with its native code.
    const { runPruneJob } = await import('../../prune/run.ts');
    return yield* runPruneJob(params, { home, signal, ...(threads === undefined ? {} : { threads }) });
  });
}
