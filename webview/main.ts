import { cancelRun, copyPath, openLog, panelReady, panelState, startRun, type PanelState } from '../src/protocol/panel.ts';
import { connectToExtension, type VsCodeApi } from './connection.ts';
import { Panel } from './panel.ts';
import './style.css';
import { onThemeChange } from './theme.ts';
import { installToolkit } from './toolkit.ts';

declare function acquireVsCodeApi(): VsCodeApi;

installToolkit();
const api = acquireVsCodeApi();
const connection = connectToExtension(api);
const panel = new Panel(document.querySelector('main') ?? document.body, {
  cancel: () => void connection.sendRequest(cancelRun),
  start: () => void connection.sendRequest(startRun),
  openLog: () => void connection.sendRequest(openLog),
  copyPath: (path) => void connection.sendRequest(copyPath, { path }),
});

/** The window keeps the state, so that the panel comes back with it after a reload. */
function show(state: PanelState): void {
  api.setState(state);
  panel.show(state);
}

connection.onNotification(panelState, show);
connection.listen();
void connection.sendRequest(panelReady).then(show);
onThemeChange(() => panel.restyle());
