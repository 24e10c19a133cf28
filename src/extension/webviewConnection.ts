import type * as vscode from 'vscode';
import {
  AbstractMessageReader,
  AbstractMessageWriter,
  createMessageConnection,
  type DataCallback,
  type Disposable,
  type Message,
  type MessageConnection,
  type MessageWriter,
} from 'vscode-jsonrpc/node';

/** JSON-RPC over a webview's `postMessage`; the other end is `webview/connection.ts`. */
export function connectToWebview(webview: vscode.Webview): MessageConnection {
  return createMessageConnection(new WebviewReader(webview), new WebviewWriter(webview));
}

class WebviewReader extends AbstractMessageReader {
  private readonly webview: vscode.Webview;

  constructor(webview: vscode.Webview) {
    super();
    this.webview = webview;
  }

  override listen(callback: DataCallback): Disposable {
    return this.webview.onDidReceiveMessage((message: Message) => {
      if (message?.jsonrpc === '2.0') callback(message);
    });
  }
}

class WebviewWriter extends AbstractMessageWriter implements MessageWriter {
  private readonly webview: vscode.Webview;

  constructor(webview: vscode.Webview) {
    super();
    this.webview = webview;
  }

  /** What is sent to a hidden webview is lost, which is no error: it asks for the state when it is shown. */
  async write(message: Message): Promise<void> {
    await this.webview.postMessage(message);
  }

  end(): void {
    // The webview's end is the panel's.
  }
}
