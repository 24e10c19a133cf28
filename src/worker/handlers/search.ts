import { indexStatus, searchCode } from '../../protocol/search.ts';
import type { ReopeningSearch } from '../../index/search/reopening.ts';
import type { WorkspaceSearch } from '../../index/search/search.ts';
import type { WorkerContext } from '../context.ts';
import type { WorkerServer } from '../server.ts';

/** A query does not wait longer for an encoder that is being loaded: words answer it. */
const patienceMilliseconds = 1500;

/** Answers queries over workspaces' indexes, each opened with the first. */
export function serveSearch(server: WorkerServer, { home, threads, engine }: WorkerContext): void {
  const searches = new Map<string, ReopeningSearch>();
  const ask = async <R>(workspace: string, work: (search: WorkspaceSearch) => R): Promise<Awaited<R>> => {
    // Loaded when it is needed, as in the other handlers.
    const [{ ReopeningSearch }, { WorkspaceSearch }, { parseEngineChoice }] = await Promise.all([
      import('../../index/search/reopening.ts'),
      import('../../index/search/search.ts'),
      import('../../engine/select.ts'),
    ]);
    let search = searches.get(workspace);
    if (search === undefined) {
      search = new ReopeningSearch(async () => WorkspaceSearch.open(workspace, { home, threads, engine: parseEngineChoice(engine), patienceMilliseconds }));
      searches.set(workspace, search);
    }
    return search.use(work);
  };
  server.onCall(searchCode, ({ workspace, ...request }) => ask(workspace, (search) => search.search(request)));
  server.onCall(indexStatus, ({ workspace }) => ask(workspace, (search) => search.status()));
}
