import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import type { MessageConnection } from 'vscode-jsonrpc/node';
import {
  cancelRun,
  copyPath,
  openLog,
  panelReady,
  panelState,
  startRun,
  type PanelState,
  type RunView,
} from '../protocol/panel.ts';
import { Disposable } from './disposable.ts';
import { connectToWebview } from './webviewConnection.ts';

const viewType = 'l3prune.panel';

/** What the panel asks of the rest of the extension. */
export interface PanelHost {
  cancel(): void;
  start(): void;
  openLog(): void;
}

/**
 * The panel, at most one a window. What it shows is kept here and sent whole: the page is thrown away when it is hidden, and
 * asks for the state when it is drawn again.
 */
export class PrunePanel extends Disposable implements vscode.WebviewPanelSerializer<unknown> {
  private readonly extensionUri: vscode.Uri;
  private readonly host: PanelHost;
  private state: PanelState = { version: 1, run: undefined };
  private open: { readonly panel: vscode.WebviewPanel; readonly connection: MessageConnection } | undefined;

  constructor(extensionUri: vscode.Uri, host: PanelHost) {
    super();
    this.extensionUri = extensionUri;
    this.host = host;
    this._register(vscode.window.registerWebviewPanelSerializer(viewType, this));
    this._register({ dispose: () => this.open?.connection.dispose() });
  }

  /** Brings the panel to the front, opened beside nothing if it is not there. */
  show(): void {
    if (this.open) this.open.panel.reveal(undefined, true);
    else this.attach(vscode.window.createWebviewPanel(viewType, 'L³Prune', { viewColumn: vscode.ViewColumn.Active, preserveFocus: true }));
  }

  /** Shows another state of the run. */
  update(run: RunView): void {
    this.state = { version: 1, run };
    void this.open?.connection.sendNotification(panelState, this.state);
  }

  /** Brings a panel back that was open when the window was reloaded. */
  async deserializeWebviewPanel(panel: vscode.WebviewPanel, kept: unknown): Promise<void> {
    if (this.state.run === undefined && isPanelState(kept)) this.state = interrupted(kept);
    this.attach(panel);
  }

  private attach(panel: vscode.WebviewPanel): void {
    this.open?.panel.dispose();
    const dist = vscode.Uri.joinPath(this.extensionUri, 'dist');
    panel.webview.options = { enableScripts: true, localResourceRoots: [dist] };
    const icon = (theme: string): vscode.Uri => vscode.Uri.joinPath(this.extensionUri, 'media', `panel-${theme}.svg`);
    panel.iconPath = { light: icon('light'), dark: icon('dark') };
    const connection = connectToWebview(panel.webview);
    connection.onRequest(panelReady, () => this.state);
    connection.onRequest(cancelRun, () => {
      this.host.cancel();
      return null;
    });
    connection.onRequest(startRun, () => {
      this.host.start();
      return null;
    });
    connection.onRequest(openLog, () => {
      this.host.openLog();
      return null;
    });
    connection.onRequest(copyPath, async ({ path }) => {
      await vscode.env.clipboard.writeText(path);
      return null;
    });
    connection.listen();
    const open = { panel, connection };
    this.open = open;
    panel.onDidDispose(() => {
      connection.dispose();
      if (this.open === open) this.open = undefined;
    });
    panel.webview.html = page(panel.webview, dist);
  }
}

/**
 * The page allows its own script and style sheet, and nothing else. The toolkit probes the browser with a style element, for
 * which it takes the nonce from the `csp-nonce` property.
 */
function page(webview: vscode.Webview, dist: vscode.Uri): string {
  const nonce = randomBytes(16).toString('base64');
  const file = (name: string): string => webview.asWebviewUri(vscode.Uri.joinPath(dist, name)).toString();
  const policy = `default-src 'none'; script-src 'nonce-${nonce}'; style-src ${webview.cspSource} 'nonce-${nonce}'; base-uri 'none'; form-action 'none'`;
  return `<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta http-equiv="Content-Security-Policy" content="${policy}" />
    <meta property="csp-nonce" content="${nonce}" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <link rel="stylesheet" href="${file('webview.css')}" />
    <title>L³Prune</title>
  </head>
  <body>
    <main></main>
    <script nonce="${nonce}" src="${file('webview.js')}"></script>
  </body>
</html>`;
}

function isPanelState(kept: unknown): kept is PanelState {
  return (kept as Partial<PanelState> | undefined)?.version === 1;
}

function interrupted(state: PanelState): PanelState {
  const { run } = state;
  if (run?.status !== 'running' && run?.status !== 'cancelling') return state;
  const message = 'The window was reloaded while this ran. Run it again.';
  return { ...state, run: { ...run, status: 'interrupted', message, secondsLeft: undefined } };
}
