import {
  AbstractMessageReader,
  AbstractMessageWriter,
  createMessageConnection,
  Disposable,
  type DataCallback,
  type Message,
  type MessageConnection,
  type MessageWriter,
} from 'vscode-jsonrpc/browser';

/** What VS Code gives a webview's script, once. */
export interface VsCodeApi {
  postMessage(message: unknown): void;
  getState(): unknown;
  setState(state: unknown): void;
}

/** JSON-RPC over the webview's `postMessage`; the other end is the extension's `webviewConnection.ts`. */
export function connectToExtension(api: VsCodeApi): MessageConnection {
  return createMessageConnection(new WindowReader(), new HostWriter(api));
}

class WindowReader extends AbstractMessageReader {
  override listen(callback: DataCallback): Disposable {
    const listener = (event: MessageEvent<Message>): void => {
      if (event.data?.jsonrpc === '2.0') callback(event.data);
    };
    window.addEventListener('message', listener);
    return Disposable.create(() => window.removeEventListener('message', listener));
  }
}

class HostWriter extends AbstractMessageWriter implements MessageWriter {
  private readonly api: VsCodeApi;

  constructor(api: VsCodeApi) {
    super();
    this.api = api;
  }

  async write(message: Message): Promise<void> {
    this.api.postMessage(message);
  }

  end(): void {
    // A window's message channel has no end of its own.
  }
}
