import * as vscode from 'vscode';
import { describeError } from '../errors.ts';
import { formatBytes, formatCheckpointName, formatCount } from '../format.ts';
import { listCheckpoints, type CheckpointSummary, type DamagedCheckpoint } from '../protocol/prune.ts';
import { Disposable } from './disposable.ts';
import type { WorkerClient } from './workerClient.ts';

type Node =
  | { readonly kind: 'checkpoint'; readonly checkpoint: CheckpointSummary }
  | { readonly kind: 'damaged'; readonly damaged: DamagedCheckpoint };

/** The checkpoints in the data home, the newest first, and damaged folders with the reason why they cannot be opened. */
export class CheckpointsTree extends Disposable implements vscode.TreeDataProvider<Node> {
  private readonly changed = this._register(new vscode.EventEmitter<void>());
  readonly onDidChangeTreeData = this.changed.event;
  private readonly worker: WorkerClient;
  private readonly view: vscode.TreeView<Node>;

  constructor(worker: WorkerClient) {
    super();
    this.worker = worker;
    this.view = this._register(vscode.window.createTreeView('l3prune.checkpoints', { treeDataProvider: this }));
    const command = (name: string, run: (node: Node) => unknown): void => {
      this._register(vscode.commands.registerCommand(name, run));
    };
    command('l3prune.refreshCheckpoints', () => this.refresh());
    command('l3prune.copyCheckpointPath', (node) => vscode.env.clipboard.writeText(pathOf(node)));
    command('l3prune.revealCheckpoint', (node) => vscode.commands.executeCommand('revealFileInOS', vscode.Uri.file(pathOf(node))));
  }

  /** Reads the folder again. */
  refresh(): void {
    this.changed.fire();
  }

  async getChildren(node?: Node): Promise<Node[]> {
    if (node) return [];
    try {
      const { checkpoints, damaged } = await this.worker.request(listCheckpoints);
      delete this.view.message;
      return [
        ...checkpoints.map((checkpoint) => ({ kind: 'checkpoint' as const, checkpoint })),
        ...damaged.map((folder) => ({ kind: 'damaged' as const, damaged: folder })),
      ];
    } catch (error) {
      this.view.message = describeError(error).message;
      return [];
    }
  }

  getTreeItem(node: Node): vscode.TreeItem {
    return node.kind === 'checkpoint' ? checkpointItem(node.checkpoint) : damagedItem(node.damaged);
  }
}

function pathOf(node: Node): string {
  return node.kind === 'checkpoint' ? node.checkpoint.path : node.damaged.path;
}

function checkpointItem(checkpoint: CheckpointSummary): vscode.TreeItem {
  const { layersKept, layersOfBase, parameters, bytes, baseModel, created, path } = checkpoint;
  const name = formatCheckpointName(checkpoint);
  const item = new vscode.TreeItem(name);
  const layers = `${layersKept} of ${layersOfBase} layers`;
  item.id = path;
  item.contextValue = 'checkpoint';
  item.iconPath = new vscode.ThemeIcon('layers');
  item.description = `${layers} · ${formatBytes(bytes)}`;
  item.accessibilityInformation = { label: `${name}, ${layers}, ${formatCount(parameters)} parameters, ${formatBytes(bytes)}` };
  item.tooltip = [
    `${name}, cut from ${baseModel}`,
    `${layers}, ${formatCount(parameters)} parameters, ${formatBytes(bytes)}`,
    `Made ${new Date(created).toLocaleString()}`,
    path,
  ].join('\n');
  return item;
}

function damagedItem({ path, reason }: DamagedCheckpoint): vscode.TreeItem {
  const item = new vscode.TreeItem(vscode.Uri.file(path));
  item.id = path;
  item.contextValue = 'damaged';
  item.iconPath = new vscode.ThemeIcon('warning', new vscode.ThemeColor('list.warningForeground'));
  item.description = reason;
  item.tooltip = `${reason}\n${path}`;
  return item;
}
