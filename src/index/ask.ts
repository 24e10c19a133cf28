import type { IndexEncoderRequest } from './encoder.ts';
import { WorkspaceSearch, type SearchAnswer, type SearchRequest } from './search/search.ts';
import { openWhenMade } from './search/when-made.ts';
import { updateForSearch } from './update/for-search.ts';
import type { IndexOptions, IndexProgress } from './update/update.ts';

/** So long an index is waited for that another process is making. */
const mostMakeMilliseconds = 5000;

export interface AskOptions extends IndexOptions {
  /** The encoder that the workspace is to have; what it has where left out. */
  readonly encoder: IndexEncoderRequest | undefined;
  /** Whether what has changed is looked for first. */
  readonly update: boolean;
}

/**
 * Asks a workspace once, for those who have no search open. What could not be brought up to date is among the notes.
 *
 * @throws as `updateForSearch`, `WorkspaceSearch.open` and `WorkspaceSearch.search`
 */
export async function* askWorkspace(workspace: string, request: SearchRequest, { encoder, update, ...options }: AskOptions): AsyncGenerator<IndexProgress, SearchAnswer> {
  const notices: string[] = [];
  if (update) {
    for await (const step of updateForSearch(workspace, options, encoder)) {
      if (step.phase === 'notice') notices.push(step.notice);
      else yield step;
    }
  }
  // One that is not there after an update is made by the process that it left the work to.
  const patience = update && notices.length === 0 ? mostMakeMilliseconds : 0;
  const search = await openWhenMade(() => WorkspaceSearch.open(workspace, { ...options, patienceMilliseconds: Infinity }), patience, options.signal);
  try {
    const answer = await search.search(request);
    return { ...answer, notes: [...notices, ...answer.notes] };
  } finally {
    await search.close();
  }
}
