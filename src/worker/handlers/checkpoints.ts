import path from 'node:path';
import { listCheckpoints } from '../../protocol/prune.ts';
import { listCheckpoints as readCheckpoints } from '../../prune/checkpoints.ts';
import type { WorkerServer } from '../server.ts';

/** Lists the checkpoints in the data home. */
export function serveCheckpoints(server: WorkerServer, context: { readonly home: string }): void {
  const folder = path.join(context.home, 'checkpoints');
  server.onRequest(listCheckpoints, async () => ({ folder, ...(await readCheckpoints(folder)) }));
}
