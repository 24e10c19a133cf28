/**
 * Every failure a person can see is made here: a code that never changes, and one sentence that says what happened and
 * what to do. Whatever reaches a front end and is not an `L3PruneError` is a defect of ours.
 */
export class L3PruneError extends Error {
  /** Stable, upper case with underscores; tests and other programs compare it. */
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.name = 'L3PruneError';
  }
}

/** Raised where work stops because its `AbortSignal` did; front ends show it as cancelled, never as failed. */
export class CancelledError extends L3PruneError {
  /** The sentence says what has been kept, where something has. */
  constructor(sentence = 'Cancelled.') {
    super('CANCELLED', sentence);
  }
}

/** Throws `CancelledError` when the signal has been aborted. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new CancelledError();
}

const failure =
  (code: string) =>
  (sentence: string, cause?: unknown): L3PruneError =>
    new L3PruneError(code, sentence, cause === undefined ? undefined : { cause });

/**
 * The factories. Each takes the sentence (what happened, where, what to do); the code is fixed here so that no two
 * places spell one differently.
 */
export const errors = {
  /** A command or request was called with arguments that make no sense together. The command line exits with 2. */
  usage: failure('USAGE'),
  /** A file or folder that was named does not exist or cannot be read. */
  notFound: failure('NOT_FOUND'),
  /** Something is in the way of what would be written; `--force` replaces it. */
  exists: failure('EXISTS'),
  /** The disk refused a write. */
  writeFailed: failure('WRITE_FAILED'),
  /** A safetensors, GGUF or index file is truncated, oversized, overlapping or otherwise not what its format says. */
  badModelFile: failure('BAD_MODEL_FILE'),
  /** config.json is not valid, or contradicts the tensors. */
  badConfig: failure('BAD_CONFIG'),
  /** A model, a config key, a tensor type or a tokenizer part that is valid but that we do not implement. */
  unsupported: failure('UNSUPPORTED'),
  /** tokenizer.json is not valid, or does not fit the model's vocabulary. */
  badTokenizer: failure('BAD_TOKENIZER'),
  /** Weights or activations hold NaN or infinity. */
  notFinite: failure('NOT_FINITE'),
  /** A triplet, corpus or query file that yields nothing usable. */
  badData: failure('BAD_DATA'),
  /** A training that is to go on is not the one that is in the folder; the sentence says what differs. */
  otherRun: failure('OTHER_RUN'),
  /** A training whose loss grew without bound or is no number any more. */
  diverged: failure('DIVERGED'),
  /** A text in which no token is left to pool. */
  nothingToPool: failure('NOTHING_TO_POOL'),
  /** A curve or manifest file that is not one of ours. */
  badManifest: failure('BAD_MANIFEST'),
  /** No source of a model answered; the sentence says how to get it by hand. */
  modelUnavailable: failure('MODEL_UNAVAILABLE'),
  /** A download whose size or hash is not the expected one. */
  downloadCorrupt: failure('DOWNLOAD_CORRUPT'),
  /** A program that an installation needs is not on this machine; the sentence says what to install. */
  missingTool: failure('MISSING_TOOL'),
  /** A step of an installation failed; the sentence says which, and what the program that did it said. */
  installFailed: failure('INSTALL_FAILED'),
  /** An index that does not hold what was written into it; it is made again from the files it is of. */
  badIndex: failure('BAD_INDEX'),
  /** The inference engine refused a graph or a run. */
  engine: failure('ENGINE'),
  /** Another job of the same kind is running. */
  busy: failure('BUSY'),
  /** The worker process ended, hung or talked nonsense while requests were pending. */
  workerGone: failure('WORKER_GONE'),
  /** A job needs more memory than the machine has; the sentence offers what fits. */
  tooLarge: failure('TOO_LARGE'),
} as const;

/** The one sentence for a person, whatever was thrown. */
export function describeError(error: unknown): { code: string; message: string } {
  if (error instanceof L3PruneError) return { code: error.code, message: error.message };
  const system = error as NodeJS.ErrnoException;
  if (system?.code === 'ENOSPC') return { code: 'WRITE_FAILED', message: 'The disk is full: free some space and run it again.' };
  if (system?.code === 'EACCES' || system?.code === 'EPERM')
    return { code: 'WRITE_FAILED', message: `Permission denied: ${system.path ?? 'a file'}.` };
  if (system?.code === 'ENOENT') return { code: 'NOT_FOUND', message: `No such file or folder: ${system.path ?? ''}.` };
  return { code: 'INTERNAL', message: `Something went wrong inside L3Prune: ${(system?.message ?? String(error)).split('\n')[0]}` };
}

/** What `describeError` said in another process, as the error it was there. */
export function reviveError(described: { readonly code: string; readonly message: string }): L3PruneError {
  return described.code === 'CANCELLED' ? new CancelledError(described.message) : new L3PruneError(described.code, described.message);
}
