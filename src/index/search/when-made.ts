import { setTimeout } from 'node:timers/promises';
import { L3PruneError, throwIfCancelled } from '../../errors.ts';
import type { WorkspaceSearch } from './search.ts';

const lookMilliseconds = 50;

/**
 * Opens the search of an index that another process is about to make.
 *
 * @throws NOT_FOUND where it is not there after so long, CANCELLED, and what opening throws
 */
export async function openWhenMade(open: () => Promise<WorkspaceSearch>, milliseconds: number, signal?: AbortSignal): Promise<WorkspaceSearch> {
  const end = performance.now() + milliseconds;
  for (;;) {
    throwIfCancelled(signal);
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof L3PruneError) || error.code !== 'NOT_FOUND' || performance.now() > end) throw error;
    }
    await setTimeout(lookMilliseconds);
  }
}
