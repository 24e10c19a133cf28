import { jobProgress, pruneModel } from '../../protocol/prune.ts';
import { runPruneJob } from '../../prune/run.ts';
import type { WorkerServer } from '../server.ts';

/** Profiles and cuts models, one job at a time. */
export function servePrune(server: WorkerServer, context: { readonly home: string; readonly threads: number | undefined }): void {
  server.onJob(pruneModel, jobProgress, (params, signal) =>
    runPruneJob(params, {
      home: context.home,
      signal,
      ...(context.threads === undefined ? {} : { threads: context.threads }),
    }),
  );
}
