import { indexStatus, searchCode } from '../../protocol/search.ts';
import type { WorkspaceSearch } from '../../index/search/search.ts';
import { L3PruneError } from '../../errors.ts';
import type { WorkerContext } from '../context.ts';
import type { WorkerServer } from '../server.ts';

/** A query does not wait longer for an encoder that is being loaded: words answer it. */
const patienceMilliseconds = 1500;

/** Answers queries over workspaces' indexes, each opened with the first. */
export function serveSearch(server: WorkerServer, { home, threads, engine }: WorkerContext): void {
  const searches = new Map<string, Promise<WorkspaceSearch>>();
  const searchOf = async (workspace: string): Promise<WorkspaceSearch> => {
    // Loaded when it is needed, as in the other handlers.
    const [{ WorkspaceSearch }, { parseEngineChoice }] = await Promise.all([import('../../index/search/search.ts'), import('../../engine/select.ts')]);
    const known = searches.get(workspace);
    if (known !== undefined) return known;
    const opening = WorkspaceSearch.open(workspace, { home, threads, engine: parseEngineChoice(engine), patienceMilliseconds });
    searches.set(workspace, opening);
    // An index that is not there yet may be there the next time.
    opening.catch(() => searches.delete(workspace));
    return opening;
  };
  /** One that turns out to be damaged, or set aside, is opened again the next time. */
  const ask = async <R>(workspace: string, work: (search: WorkspaceSearch) => R): Promise<Awaited<R>> => {
    const search = await searchOf(workspace);
    try {
      return await work(search);
    } catch (error) {
      if (error instanceof L3PruneError && error.code === 'BAD_INDEX') {
        searches.delete(workspace);
        await search.close().catch(() => undefined);
      }
      throw error;
    }
  };
  server.onCall(searchCode, ({ workspace, ...request }) => ask(workspace, (search) => search.search(request)));
  server.onCall(indexStatus, ({ workspace }) => ask(workspace, (search) => search.status()));
}
