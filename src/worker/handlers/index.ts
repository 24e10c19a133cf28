import { closeIndex, indexProgress, updateIndex } from '../../protocol/search.ts';
import type { WorkspaceIndex } from '../../index/update/update.ts';
import type { WorkerContext } from '../context.ts';
import type { WorkerServer } from '../server.ts';

/** Threads of an index in the background: the other cores are the user's. */
const backgroundThreads = 1;

/** Keeps indexes up to date, as the only process that writes those it has begun with. */
export function serveIndex(server: WorkerServer, { home, threads, engine }: WorkerContext): void {
  const open = new Map<string, WorkspaceIndex>();
  server.onJob(updateIndex, indexProgress, async function* ({ workspace, encoder, rules, changed, regardless }, signal) {
    // Loaded when it is needed, as in the other handlers.
    const [{ WorkspaceIndex }, { parseEngineChoice }] = await Promise.all([import('../../index/update/update.ts'), import('../../engine/select.ts')]);
    const options = { home, signal, threads: threads ?? backgroundThreads, engine: parseEngineChoice(engine), rules: rules ?? {}, regardless: regardless ?? false };
    let index = open.get(workspace);
    if (index === undefined) open.set(workspace, (index = await WorkspaceIndex.open(workspace, options)));
    else index.setOptions(options);
    return yield* index.update(encoder, changed);
  });
  server.onCall(closeIndex, async ({ workspace }) => {
    const index = open.get(workspace);
    open.delete(workspace);
    await index?.close();
    return null;
  });
}
