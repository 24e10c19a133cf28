import { trainModel, trainProgress } from '../../protocol/train.ts';
import type { WorkerContext } from '../context.ts';
import type { WorkerServer } from '../server.ts';

/** Trains models, one job at a time. */
export function serveTrain(server: WorkerServer, { home, threads, engine }: WorkerContext): void {
  server.onJob(trainModel, trainProgress, async function* (params, signal) {
    // Loaded when it is needed, as in the other handlers.
    const [{ runTrainJob }, { parseEngineChoice }] = await Promise.all([import('../../train/run.ts'), import('../../engine/select.ts')]);
    return yield* runTrainJob(params, { home, signal, threads, engine: parseEngineChoice(engine) });
  });
}
