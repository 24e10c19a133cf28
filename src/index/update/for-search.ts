import { L3PruneError } from '../../errors.ts';
import type { IndexEncoderRequest } from '../encoder.ts';
import { WorkspaceIndex, type IndexOptions, type IndexProgress } from './update.ts';

/**
 * Brings an index up to date before a search, where nobody else does: the words, and the vectors where an encoder is
 * named that the workspace does not have yet. Where another process writes the index, or it cannot be written, that is
 * no reason not to answer: the notice says so.
 *
 * @throws NOT_FOUND, UNSUPPORTED, USAGE, CANCELLED, and what opening and running a model throws
 */
export async function* updateForSearch(workspace: string, options: IndexOptions, request?: IndexEncoderRequest): AsyncGenerator<IndexProgress, void> {
  try {
    yield* update(workspace, options, request);
  } catch (error) {
    if (!(error instanceof L3PruneError) || (error.code !== 'BUSY' && error.code !== 'WRITE_FAILED')) throw error;
    // Another process keeps it up to date.
    if (error.code !== 'BUSY') yield { phase: 'notice', notice: error.message };
  }
}

async function* update(workspace: string, options: IndexOptions, request: IndexEncoderRequest | undefined): AsyncGenerator<IndexProgress, void> {
  const index = await WorkspaceIndex.open(workspace, options);
  try {
    if (request === undefined) yield* index.updateTexts();
    else yield* index.update(request);
  } finally {
    await index.close();
  }
}
