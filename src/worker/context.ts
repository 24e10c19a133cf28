/** What the worker was started with, for its handlers. */
export interface WorkerContext {
  /** The data home. */
  readonly home: string;
  /** The engine's own choice when undefined. */
  readonly threads: number | undefined;
  /** The engine that was chosen, as the setting says it: it is read where an engine is opened. */
  readonly engine: string | undefined;
}
