import { jobProgress, pruneModel } from '../../protocol/prune.ts';
import type { WorkerContext } from '../context.ts';
import type { WorkerServer } from '../server.ts';

/** Profiles and cuts models, one job at a time. */
export function servePrune(server: WorkerServer, { home, threads, engine }: WorkerContext): void {
  server.onJob(pruneModel, jobProgress, async function* (params, signal) {
    // Loaded when it is needed: it brings the engine with its native code.
    const [{ runPruneJob }, { parseEngineChoice }] = await Promise.all([import('../../prune/run.ts'), import('../../engine/select.ts')]);
    return yield* runPruneJob(params, { home, signal, threads, engine: parseEngineChoice(engine) });
  });
}
