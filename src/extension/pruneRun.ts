import { Emitter, type Event } from 'vscode-jsonrpc';
import { CancelledError, describeError } from '../errors.ts';
import { formatDuration } from '../format.ts';
import type { RunView } from '../protocol/panel.ts';
import type { JobProgress, PruneJobResult } from '../protocol/prune.ts';
import type { RunningJob } from './workerClient.ts';

/** What a run is called where people see it. */
export interface RunLabels {
  readonly model: string;
  readonly data: string;
}

/**
 * One prune job as this window shows it: the state that notification, panel and tree all draw from. Its numbers only ever
 * go one way: the fraction does not fall, and the time left does not grow.
 */
export class PruneRun {
  /** Settles as the job does. */
  readonly result: Promise<PruneJobResult>;
  private readonly changed = new Emitter<RunView>();
  private readonly job: RunningJob<PruneJobResult>;
  private current: RunView;

  constructor(labels: RunLabels, start: (onProgress: (progress: JobProgress) => void) => RunningJob<PruneJobResult>) {
    this.current = {
      ...labels,
      status: 'running',
      message: 'Starting the worker',
      fraction: undefined,
      secondsLeft: undefined,
      layers: [],
      curve: undefined,
      checkpoints: [],
      error: undefined,
    };
    this.job = start((progress) => this.update(this.current.status === 'running' ? describeProgress(this.current, progress) : {}));
    this.result = this.job.result.then(
      (result) => {
        this.update(ended('done', describeResult(result), { layers: result.curve.layers, curve: result.curve, checkpoints: result.checkpoints }));
        return result;
      },
      (error: unknown) => {
        if (error instanceof CancelledError) this.update(ended('cancelled', 'Cancelled.', {}));
        else this.update(ended('failed', 'Failed.', { error: describeError(error) }));
        throw error;
      },
    );
  }

  get view(): RunView {
    return this.current;
  }

  /** Fires with the new view at every change of it. */
  get onDidChange(): Event<RunView> {
    return this.changed.event;
  }

  get isRunning(): boolean {
    return this.current.status === 'running' || this.current.status === 'cancelling';
  }

  /** Asks the job to end, which shows at once; asked again, ends its process. */
  async cancel(): Promise<void> {
    if (!this.isRunning) return;
    this.update({ status: 'cancelling', message: 'Cancelling', secondsLeft: undefined });
    const heard = await this.job.cancel();
    if (!this.isRunning) return;
    this.update({ message: describeCancelling(heard?.secondsInStep) });
  }

  private update(change: Partial<RunView>): void {
    this.current = { ...this.current, ...change };
    this.changed.fire(this.current);
  }
}

function ended(status: RunView['status'], message: string, rest: Partial<RunView>): Partial<RunView> {
  return { status, message, secondsLeft: undefined, ...rest };
}

function describeProgress(before: RunView, progress: JobProgress): Partial<RunView> {
  switch (progress.kind) {
    case 'model':
      return { message: `Model: ${progress.what}${percentOf(progress)}` };
    case 'data':
      return { message: `Reading the data${percentOf(progress)}` };
    case 'profile': {
      const { batchesDone, batches, textsDone, texts, secondsLeft, layers } = progress.progress;
      return {
        message: `Measuring the loss by layer: batch ${Math.min(batchesDone + 1, batches)} of ${batches}`,
        fraction: Math.max(before.fraction ?? 0, texts > 0 ? textsDone / texts : 0),
        secondsLeft: secondsLeft === undefined ? before.secondsLeft : Math.min(before.secondsLeft ?? Number.POSITIVE_INFINITY, secondsLeft),
        layers,
      };
    }
    case 'calibrate':
      return { message: `Calibrating the first ${progress.layers} layers${percentOf(progress)}`, secondsLeft: undefined };
    case 'write':
      return { message: 'Writing the checkpoints', secondsLeft: undefined };
  }
}

function percentOf({ done, total }: { readonly done: number; readonly total: number | undefined }): string {
  return total === undefined || total <= 0 ? '' : ` · ${Math.floor((100 * Math.min(done, total)) / total)} %`;
}

function describeResult({ checkpoints, curve }: PruneJobResult): string {
  const kept = checkpoints.map(({ layersKept }) => layersKept).join(' and ');
  const count = checkpoints.length === 1 ? 'A checkpoint' : `${checkpoints.length} checkpoints`;
  return `${count} with ${kept} of ${curve.model.layers} layers, after ${formatDuration(curve.seconds)} of measuring.`;
}

function describeCancelling(secondsInStep: number | undefined): string {
  if (secondsInStep === undefined) return 'Cancelling: the worker does not answer. Cancel once more to end it.';
  const step = secondsInStep === 0 ? 'the current step' : `the current step, which has run for ${formatDuration(secondsInStep)}`;
  return `Cancelling at the end of ${step}. Cancel once more to end the worker at once.`;
}
