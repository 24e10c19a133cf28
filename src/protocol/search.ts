import { ProgressType, RequestType } from 'vscode-jsonrpc';
import type { IndexEncoderRequest } from '../index/encoder.ts';
import type { FileRules } from '../index/files/types.ts';
import type { IndexStatus, SearchAnswer, SearchRequest } from '../index/search/search.ts';
import type { IndexProgress, IndexResult } from '../index/update/update.ts';
import type { JobError } from './job.ts';

export type { IndexEncoderRequest } from '../index/encoder.ts';
export type { IndexStatus, SearchAnswer, SearchHit, SearchMode, SearchRequest } from '../index/search/search.ts';
export type { IndexProgress, IndexResult } from '../index/update/update.ts';

/** Which index a request is about. */
export interface OfWorkspace {
  /** The folder. */
  readonly workspace: string;
}

export interface UpdateIndexParams extends OfWorkspace {
  readonly progressToken: string;
  /** The encoder that the workspace is to have; what it has where left out. */
  readonly encoder?: IndexEncoderRequest | undefined;
  /** Which files are indexed, over what was said before. */
  readonly rules?: Partial<FileRules> | undefined;
  /** Files and folders that may have changed, from the root; the whole workspace where left out. */
  readonly changed?: readonly string[] | undefined;
  /** Embeds also while a training runs, or on battery. */
  readonly regardless?: boolean | undefined;
}

/**
 * Brings an index up to date, words first; the process that does holds the right to write it until `closeIndex`. Answered
 * with BUSY where another process has it.
 */
export const updateIndex = new RequestType<UpdateIndexParams, IndexResult, JobError>('index/update');

export const indexProgress = new ProgressType<IndexProgress>();

/** Gives the right to write an index back. */
export const closeIndex = new RequestType<OfWorkspace, null, JobError>('index/close');

/** Finds code. Asked of a process of its own, it never waits for the one that indexes. */
export const searchCode = new RequestType<OfWorkspace & SearchRequest, SearchAnswer, JobError>('search/code');

/** How much of a workspace can be found. */
export const indexStatus = new RequestType<OfWorkspace, IndexStatus, JobError>('search/status');
