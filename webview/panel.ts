import { formatBytes, formatCheckpointName, formatCount, formatDuration } from '../src/format.ts';
import type { CheckpointSummary, PanelState, RunStatus, RunView } from '../src/protocol/panel.ts';
import { curveAt, scalesOf, type CurveChoice, type ShownCut } from './curve.ts';
import { element } from './dom.ts';
import { CurvePlot } from './plot.ts';
import { CurveTable } from './table.ts';
import { button, checkbox, radioGroup } from './toolkit.ts';

/** What the person can ask of the extension. */
export interface PanelActions {
  cancel(): void;
  start(): void;
  openLog(): void;
  copyPath(path: string): void;
}

/** The panel's page: drawn anew from every state it is given, keeping only what the person chose in it. */
export class Panel {
  private readonly plot = new CurvePlot();
  private readonly table = new CurveTable();
  private readonly subject = element('p', { class: 'subject' });
  private readonly status = element('section', { class: 'status', 'aria-label': 'Progress' });
  private readonly announcement = element('p', { class: 'visually-hidden', role: 'status' });
  private readonly choice = element('div', { class: 'choice' });
  private readonly cuts = element('ul', { class: 'cuts', 'aria-label': 'Cuts' });
  private readonly warnings = element('ul', { class: 'warnings', 'aria-label': 'Warnings' });
  private readonly results = element('div', { class: 'results' });
  private readonly checkpoints = element('section', { class: 'checkpoints' });
  private readonly actions: PanelActions;
  private run: RunView | undefined;
  private chosen: CurveChoice = { scale: undefined, calibrated: false };
  private offered = '';
  private statusKey = '';

  constructor(root: HTMLElement, actions: PanelActions) {
    this.actions = actions;
    const figure = element('figure', {}, this.plot.root, element('figcaption', {}, this.plot.readout, this.cuts));
    this.results.append(figure, this.table.root);
    root.replaceChildren(
      element('header', {}, element('h1', {}, 'Loss by layer'), this.subject),
      this.announcement,
      this.status,
      this.warnings,
      this.choice,
      this.results,
      this.checkpoints,
    );
  }

  show({ run }: PanelState): void {
    this.run = run;
    for (const part of [this.choice, this.results, this.checkpoints, this.warnings]) part.hidden = run === undefined;
    if (run === undefined) {
      this.subject.textContent = 'Nothing has been profiled in this window yet.';
      this.status.replaceChildren(button('Prune Model…', 'primary', () => this.actions.start()));
      this.statusKey = '';
      return;
    }
    this.subject.textContent = `${run.model} on ${run.data}`;
    this.showStatus(run);
    this.warnings.replaceChildren(...(run.curve?.warnings ?? []).map((warning) => element('li', {}, warning)));
    this.warnings.hidden = (run.curve?.warnings.length ?? 0) === 0;
    this.offerChoice(run);
    this.showCurve();
    this.showCheckpoints(run.checkpoints);
  }

  /** Draws the canvas again in the theme's colours. */
  restyle(): void {
    this.plot.restyle();
  }

  /** Buttons stay the same elements while the status does, so that progress does not take the focus from them. */
  private showStatus(run: RunView): void {
    if (this.statusKey !== run.status) {
      this.statusKey = run.status;
      this.announcement.textContent = statusNames[run.status];
      const message = element('p', { class: 'message' });
      this.status.className = `status ${run.status}`;
      this.status.replaceChildren(message, ...this.buttons(run.status), ...progressBar(run.status));
    }
    const message = this.status.querySelector('.message');
    if (message) message.textContent = sentence(run);
    const bar = this.status.querySelector('progress');
    if (bar && run.fraction === undefined) bar.removeAttribute('value');
    else if (bar) bar.value = run.fraction ?? 0;
  }

  private buttons(status: RunStatus): HTMLElement[] {
    const { actions } = this;
    switch (status) {
      case 'running':
        return [button('Cancel', 'secondary', () => actions.cancel())];
      case 'cancelling':
        return [button('Stop Now', 'secondary', () => actions.cancel())];
      case 'failed':
        return [button('Open Log', 'secondary', () => actions.openLog()), button('Prune Model…', 'primary', () => actions.start())];
      case 'done':
      case 'cancelled':
      case 'interrupted':
        return [button('Prune Model…', 'secondary', () => actions.start())];
    }
  }

  /** The controls stay the same elements while what they offer does. */
  private offerChoice(run: RunView): void {
    const scales = scalesOf(run);
    const canCalibrate = run.curve?.calibrated !== undefined;
    if (this.chosen.scale === undefined || !scales.includes(this.chosen.scale)) this.choose({ scale: scales[0] });
    const offered = [...scales, canCalibrate].join();
    if (this.offered === offered) return;
    this.offered = offered;
    this.choice.replaceChildren(
      ...(scales.length > 1 ? [radioGroup('Scale of the loss', scales, this.chosen.scale ?? '', (scale) => this.choose({ scale }))] : []),
      ...(canCalibrate ? [checkbox('Calibrated loss, with the mean vectors taken off', this.chosen.calibrated, (calibrated) => this.choose({ calibrated }))] : []),
    );
  }

  private choose(change: Partial<CurveChoice>): void {
    this.chosen = { ...this.chosen, ...change };
    this.showCurve();
  }

  private showCurve(): void {
    if (this.run === undefined) return;
    const curve = curveAt(this.run, this.chosen);
    this.results.hidden = curve.layers.length === 0;
    this.plot.show(curve);
    this.table.show(curve);
    const total = curve.layers.length;
    this.cuts.replaceChildren(
      ...curve.cuts.map((cut) => element('li', { class: cut.name }, describeCut(cut, total))),
      ...(curve.calibrated?.cuts ?? []).map((cut) => element('li', { class: 'calibrated' }, `Calibrated: ${describeCut(cut, total)}`)),
    );
  }

  private showCheckpoints(checkpoints: readonly CheckpointSummary[]): void {
    this.checkpoints.hidden = checkpoints.length === 0;
    const items = checkpoints.map((checkpoint) => {
      const name = formatCheckpointName(checkpoint);
      const copy = button('Copy Path', 'secondary', () => this.actions.copyPath(checkpoint.path));
      copy.setAttribute('aria-label', `Copy the path of ${name}`);
      return element('li', {}, element('strong', {}, name), element('span', {}, describeCheckpoint(checkpoint)), copy);
    });
    this.checkpoints.replaceChildren(element('h2', {}, 'Checkpoints'), element('ul', {}, ...items));
  }
}

function progressBar(status: RunStatus): HTMLElement[] {
  if (status !== 'running' && status !== 'cancelling') return [];
  return [element('progress', { max: '1', 'aria-label': 'Share of the profile that is done' })];
}

const statusNames: Record<RunStatus, string> = {
  running: 'Running',
  cancelling: 'Cancelling',
  done: 'Done',
  cancelled: 'Cancelled',
  failed: 'Failed',
  interrupted: 'Interrupted',
};

function sentence(run: RunView): string {
  if (run.error) return `${run.error.message} (${run.error.code})`;
  return run.secondsLeft === undefined ? run.message : `${run.message} · about ${formatDuration(run.secondsLeft)} left`;
}

function describeCut({ name, layer, confidence }: ShownCut, total: number): string {
  const kept = `${name === 'small' ? 'Small' : 'Large'} keeps ${layer} of ${total} layers`;
  return confidence === undefined ? kept : `${kept} (lowest in ${Math.round(confidence * 100)} % of resamples)`;
}

function describeCheckpoint({ layersKept, layersOfBase, parameters, bytes }: CheckpointSummary): string {
  return `${layersKept} of ${layersOfBase} layers · ${formatCount(parameters)} parameters · ${formatBytes(bytes)}`;
}
