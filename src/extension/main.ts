import * as vscode from 'vscode';
import { CheckpointsTree } from './checkpointsTree.ts';
import { Disposable } from './disposable.ts';
import { EngineCommands } from './engineCommands.ts';
import { PrunePanel } from './panel.ts';
import { PruneCommand } from './pruneCommand.ts';
import { WorkerClient } from './workerClient.ts';

/** Called by VS Code at the first use of a command or view of ours. Starts nothing: the worker comes with the first request. */
export function activate(context: vscode.ExtensionContext): void {
  context.subscriptions.push(new L3PruneExtension(context.extensionUri));
}

/** Owns everything that lives as long as the window. What lives as long as a worker process is the worker client's. */
class L3PruneExtension extends Disposable {
  constructor(extensionUri: vscode.Uri) {
    super();
    const log = this._register(vscode.window.createOutputChannel('L3Prune', { log: true }));
    const worker = this._register(
      new WorkerClient({ entry: vscode.Uri.joinPath(extensionUri, 'dist', 'worker.mjs').fsPath, env: workerEnvironment, log }),
    );
    const tree = this._register(new CheckpointsTree(worker));
    const panel: PrunePanel = this._register(
      new PrunePanel(extensionUri, {
        cancel: () => prune.cancel(),
        start: () => void vscode.commands.executeCommand('l3prune.pruneModel'),
        openLog: () => log.show(),
      }),
    );
    const prune = this._register(new PruneCommand({ worker, panel, log, onCheckpoints: () => tree.refresh() }));
    this._register(new EngineCommands({ worker, log }));
    this._register(vscode.commands.registerCommand('l3prune.showPanel', () => panel.show()));
    this._register(vscode.commands.registerCommand('l3prune.openLog', () => log.show()));
    this._register(
      vscode.workspace.onDidChangeConfiguration((change) => {
        if (!change.affectsConfiguration('l3prune')) return;
        worker.restart();
        tree.refresh();
      }),
    );
  }
}

/** The settings, as the worker reads them at its start. */
function workerEnvironment(): Record<string, string> {
  const settings = vscode.workspace.getConfiguration('l3prune');
  const home = settings.get<string>('home', '').trim();
  const threads = settings.get<number>('threads', 0);
  const engine = settings.get<string>('engine', '').trim();
  return {
    ...(home === '' ? {} : { L3PRUNE_HOME: home }),
    ...(threads > 0 ? { L3PRUNE_THREADS: String(threads) } : {}),
    ...(engine === '' ? {} : { L3PRUNE_ENGINE: engine }),
  };
}
