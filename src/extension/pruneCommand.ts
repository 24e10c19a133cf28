import path from 'node:path';
import * as vscode from 'vscode';
import { errors } from '../errors.ts';
import { formatDuration } from '../format.ts';
import type { RunView } from '../protocol/panel.ts';
import { jobProgress, pruneModel, type PruneJob, type PruneJobResult } from '../protocol/prune.ts';
import { Disposable } from './disposable.ts';
import { logFailure, showFailure } from './failure.ts';
import type { PrunePanel } from './panel.ts';
import { askPruneJob, defaultData, defaultDepths, defaultModel, defaultSettings } from './pruneQuestions.ts';
import { PruneRun } from './pruneRun.ts';
import type { WorkerClient } from './workerClient.ts';

/** What the command needs of the rest of the extension. */
export interface PruneCommandParts {
  readonly worker: WorkerClient;
  readonly panel: PrunePanel;
  readonly log: vscode.LogOutputChannel;
  /** Called when there may be new checkpoints. */
  readonly onCheckpoints: () => void;
}

/** `L3Prune: Prune Model`: asks, runs the job in the worker, and shows it as a notification and in the panel. */
export class PruneCommand extends Disposable {
  private readonly parts: PruneCommandParts;
  private run: PruneRun | undefined;

  constructor(parts: PruneCommandParts) {
    super();
    this.parts = parts;
    this._register(vscode.commands.registerCommand('l3prune.pruneModel', (given?: unknown) => this.execute(given)));
    this._register({ dispose: () => void this.run?.cancel() });
  }

  /** Cancels the run, or ends its process when it is being cancelled already. */
  cancel(): void {
    void this.run?.cancel();
  }

  /**
   * Without an argument it asks, and reports a failure itself. With one, for tasks, keybindings and agents, it asks nothing,
   * takes defaults for what is left out, and returns the result or throws.
   */
  private async execute(given: unknown): Promise<PruneJobResult | undefined> {
    if (this.run?.isRunning) return this.refuse(given);
    if (given === undefined) {
      const job = await askPruneJob();
      if (job) await this.start(job).catch((error: unknown) => showFailure(error, this.parts.log));
      return undefined;
    }
    // Loaded when it is needed: activation pays for nothing that most windows never use.
    const { parsePruneArguments } = await import('./pruneArguments.ts');
    return this.start(parsePruneArguments(given, { model: defaultModel, data: defaultData(), depths: defaultDepths, settings: defaultSettings }));
  }

  private async refuse(given: unknown): Promise<undefined> {
    const error = errors.busy('A model is being pruned in this window already: wait for it, or cancel it.');
    if (given !== undefined) throw error;
    this.parts.panel.show();
    await vscode.window.showWarningMessage(error.message);
  }

  private async start(job: PruneJob): Promise<PruneJobResult> {
    const { worker, panel, log } = this.parts;
    log.info(`Prune ${JSON.stringify(job)}`);
    const run = new PruneRun(labelsOf(job), (onProgress) => worker.startJob(pruneModel, job, { type: jobProgress, onProgress }));
    this.run = run;
    panel.update(run.view);
    const listener = run.onDidChange((view) => panel.update(view));
    panel.show();
    showProgress(run);
    try {
      const result = await run.result;
      log.info(`${run.view.message} ${result.source}`);
      for (const { path: written } of result.checkpoints) log.info(`Wrote ${written}`);
      return result;
    } catch (error) {
      logFailure(error, log);
      throw error;
    } finally {
      listener.dispose();
      // A run that failed or was cancelled may have written some.
      this.parts.onCheckpoints();
    }
  }
}

function labelsOf(job: PruneJob): { model: string; data: string } {
  const name = path.basename(job.data.path);
  return {
    model: path.isAbsolute(job.model) ? path.basename(job.model) : job.model,
    data: job.data.kind === 'workspace' ? `the code of ${name}` : name,
  };
}

/** A notification with Cancel, and after that another which says that it was heard, with Cancel for at once. */
function showProgress(run: PruneRun): void {
  const title = `Pruning ${run.view.model}`;
  void notify(title, run, (view) => view.status !== 'running').then(() => {
    if (run.isRunning) void notify(title, run, () => !run.isRunning);
  });
}

/** Shows the run as a notification until `ended`; its Cancel goes to the run. */
function notify(title: string, run: PruneRun, ended: (view: RunView) => boolean): Thenable<void> {
  return vscode.window.withProgress({ location: vscode.ProgressLocation.Notification, title, cancellable: true }, (progress, token) => {
    let shown = 0;
    const report = (view: RunView): void => {
      const percent = Math.floor(100 * (view.fraction ?? 0));
      progress.report({ message: describe(view), ...(percent > shown ? { increment: percent - shown } : {}) });
      shown = Math.max(shown, percent);
    };
    report(run.view);
    token.onCancellationRequested(() => void run.cancel());
    return new Promise<void>((resolve) => {
      const listener = run.onDidChange((view) => {
        if (ended(view)) {
          listener.dispose();
          resolve();
        } else report(view);
      });
    });
  });
}

function describe({ message, secondsLeft }: RunView): string {
  return secondsLeft === undefined ? message : `${message} · about ${formatDuration(secondsLeft)} left`;
}
