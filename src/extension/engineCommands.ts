import * as vscode from 'vscode';
import { errors } from '../errors.ts';
import { formatBytes } from '../format.ts';
import { engineProgress, installTensorFlow, removeTensorFlow, type ByteProgress, type InstalledTensorFlow, type TensorFlowVariant } from '../protocol/engine.ts';
import { choose } from './ask.ts';
import { Disposable } from './disposable.ts';
import { describeStep, parseInstallArguments } from './engineArguments.ts';
import { logFailure, showFailure } from './failure.ts';
import type { RunningJob, WorkerClient } from './workerClient.ts';

export interface EngineCommandParts {
  readonly worker: WorkerClient;
  readonly log: vscode.LogOutputChannel;
}

/** How a job of these reports. */
interface EngineProgress {
  readonly type: typeof engineProgress;
  readonly onProgress: (step: ByteProgress) => void;
}

/** Installs and removes TensorFlow, the second engine, in the worker. */
export class EngineCommands extends Disposable {
  private readonly parts: EngineCommandParts;
  private isBusy = false;

  constructor(parts: EngineCommandParts) {
    super();
    this.parts = parts;
    this._register(vscode.commands.registerCommand('l3prune.installTensorFlow', (given?: unknown) => this.install(given)));
    this._register(vscode.commands.registerCommand('l3prune.removeTensorFlow', () => this.remove()));
  }

  /** Without an argument it asks, and shows how it ended. With one it asks nothing, and returns what it installed or throws. */
  private async install(given: unknown): Promise<InstalledTensorFlow | undefined> {
    if (given !== undefined) return this.startInstalling(parseInstallArguments(given));
    const variant = await askVariant();
    if (variant === undefined) return undefined;
    try {
      const { tensorflowVersion, bytes, directory } = await this.startInstalling(variant);
      await vscode.window.showInformationMessage(`TensorFlow ${tensorflowVersion} works: ${formatBytes(bytes)} in ${directory}`);
    } catch (error) {
      await showFailure(error, this.parts.log);
    }
    return undefined;
  }

  private startInstalling(variant: TensorFlowVariant): Promise<InstalledTensorFlow> {
    return this.run('Installing TensorFlow', (progress) => this.parts.worker.startJob(installTensorFlow, { variant }, progress));
  }

  private async remove(): Promise<void> {
    const { worker, log } = this.parts;
    try {
      const directory = await this.run('Removing TensorFlow', (progress) => worker.startJob(removeTensorFlow, {}, progress));
      await vscode.window.showInformationMessage(`TensorFlow was removed from ${directory}`);
    } catch (error) {
      await showFailure(error, log);
    }
  }

  /** Runs one job at a time as a notification with Cancel; it waits for its turn behind the worker's other jobs. */
  private async run<R>(title: string, start: (progress: EngineProgress) => RunningJob<R>): Promise<R> {
    if (this.isBusy) throw errors.busy('TensorFlow is being installed or removed in this window already: wait for it, or cancel it.');
    this.isBusy = true;
    const { log } = this.parts;
    log.info(title);
    try {
      return await vscode.window.withProgress({ location: vscode.ProgressLocation.Notification, title, cancellable: true }, async (progress, token) => {
        const job = start({ type: engineProgress, onProgress: (step) => progress.report({ message: describeStep(step) }) });
        token.onCancellationRequested(() => void job.cancel());
        return await job.result;
      });
    } catch (error) {
      logFailure(error, log);
      throw error;
    } finally {
      this.isBusy = false;
    }
  }
}

/** On a Mac there is nothing to choose. */
async function askVariant(): Promise<TensorFlowVariant | undefined> {
  if (process.platform === 'darwin') return 'cpu';
  const place = { title: 'L3Prune: Install TensorFlow Engine', step: 1, totalSteps: 1 };
  const answer = await choose<TensorFlowVariant>(place, 'On what shall TensorFlow compute?', [
    { label: 'On the CPU', description: 'about 1.1 GB on the disk', detail: 'A second engine beside ONNX Runtime; the faster of both is taken. Takes npm, and on Linux pip and g++.', value: 'cpu' },
    { label: 'On a GPU of NVIDIA', description: 'about 6 GB on the disk', detail: "With NVIDIA's own libraries, for a machine that has their driver. Takes the same programs.", value: 'gpu' },
  ]);
  return answer.kind === 'answer' ? answer.value : undefined;
}
