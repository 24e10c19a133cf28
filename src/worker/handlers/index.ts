import { closeIndex, indexProgress, updateIndex } from '../../protocol/search.ts';
import { CancelledError } from '../../errors.ts';
import type { WorkspaceIndex } from '../../index/update/update.ts';
import type { WorkerContext } from '../context.ts';
import type { WorkerServer } from '../server.ts';

/** Threads of an index in the background: the other cores are the user's. */
const backgroundThreads = 1;

/** An update that runs. */
interface Running {
  readonly workspace: string;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

/** Keeps indexes up to date, as the only process that writes those it has begun with. */
export function serveIndex(server: WorkerServer, { home, threads, engine }: WorkerContext): void {
  const open = new Map<string, WorkspaceIndex>();
  // Jobs take turns.
  let running: Running | undefined;
  const close = async (workspace: string): Promise<void> => {
    const index = open.get(workspace);
    open.delete(workspace);
    await index?.close();
  };
  server.onJob(updateIndex, indexProgress, async function* ({ workspace, encoder, rules, changed, regardless }, cancelled) {
    const stop = new AbortController();
    let end = (): void => undefined;
    const ended = new Promise<void>((resolve) => (end = resolve));
    running = { workspace, stop, ended };
    try {
      // Loaded when it is needed, as in the other handlers.
      const [{ WorkspaceIndex }, { parseEngineChoice }] = await Promise.all([import('../../index/update/update.ts'), import('../../engine/select.ts')]);
      const signal = AbortSignal.any([cancelled, stop.signal]);
      const options = { home, signal, threads: threads ?? backgroundThreads, engine: parseEngineChoice(engine), rules: rules ?? {}, regardless: regardless ?? false };
      let index = open.get(workspace);
      if (index === undefined) open.set(workspace, (index = await WorkspaceIndex.open(workspace, options)));
      else index.setOptions(options);
      return yield* index.update(encoder, changed);
    } catch (error) {
      // What has gone wrong with it is over when it is opened again; one that another process has taken over is not ours.
      if (!(error instanceof CancelledError)) await close(workspace);
      throw error;
    } finally {
      running = undefined;
      end();
    }
  });
  server.onCall(closeIndex, async ({ workspace }) => {
    if (running?.workspace === workspace) {
      running.stop.abort();
      await running.ended;
    }
    await close(workspace);
    return null;
  });
  // One that is closed is not checked when it is next opened. What of it takes turns of the event loop is left to the lock's next holder.
  process.once('exit', () => {
    for (const index of open.values()) void index.close();
  });
}
