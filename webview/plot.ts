import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { describeCurve, formatStderr, type ShownCurve, type ShownLosses } from './curve.ts';
import { element } from './dom.ts';
import { readTheme, type PlotTheme } from './theme.ts';

const height = 300;

/** The series of the plot, after the layers: both edges of the standard-error band, the loss, then the calibrated loss. */
const upper = 1;
const lower = 2;

/** Loss by layer with its standard-error band, the calibrated loss where it is shown, and a vertical mark at each cut. */
export class CurvePlot {
  readonly root = element('div', { class: 'plot', role: 'img' });
  /** The values under the pointer. */
  readonly readout = element('p', { class: 'readout', 'aria-hidden': 'true' });
  private plot: uPlot | undefined;
  private shown: ShownCurve = { scale: undefined, layers: [], cuts: [], calibrated: undefined };

  constructor() {
    new ResizeObserver(() => this.fit()).observe(this.root);
  }

  /** Draws another state of the curve. */
  show(curve: ShownCurve): void {
    this.shown = curve;
    this.root.setAttribute('aria-label', describeCurve(curve));
    if (curve.layers.length === 0) {
      this.plot?.destroy();
      this.plot = undefined;
    } else if (this.plot === undefined) {
      this.create();
    } else {
      this.plot.setData(columns(curve));
    }
  }

  /** Draws all of it again, in the colours that the theme has now. */
  restyle(): void {
    this.plot?.destroy();
    this.plot = undefined;
    this.show(this.shown);
  }

  private create(): void {
    const theme = readTheme();
    const axis = { stroke: theme.text, font: theme.font, labelFont: theme.font, grid: { stroke: theme.grid, width: 1 }, ticks: { show: false } };
    const edge = { stroke: 'transparent', width: 0, points: { show: false } };
    const options: uPlot.Options = {
      width: Math.max(this.root.clientWidth, 1),
      height,
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { size: 9 } },
      scales: { x: { time: false, range: (_plot, min, max) => [min - 0.5, max + 0.5] } },
      axes: [
        { ...axis, label: 'Layers kept', labelSize: 20, size: 32, incrs: [1, 2, 5, 10, 20, 50] },
        { ...axis, label: 'Contrastive loss (nats)', labelSize: 20, size: 48 },
      ],
      series: [
        {},
        edge,
        edge,
        { stroke: theme.line, width: 2 * theme.emphasis, points: { show: true, size: 5, fill: theme.line, stroke: theme.line } },
        // Told apart by more than its colour: broken, with hollow points.
        {
          stroke: theme.calibrated,
          width: 2 * theme.emphasis,
          dash: [6, 4],
          points: { show: true, size: 6, width: theme.emphasis, fill: theme.background, stroke: theme.calibrated },
        },
      ],
      bands: [{ series: [upper, lower], fill: translucent(theme.band) }],
      hooks: {
        draw: [(plot) => this.markCuts(plot, theme)],
        setCursor: [(plot) => this.readOut(plot)],
      },
    };
    this.plot = new uPlot(options, columns(this.shown), this.root);
  }

  private fit(): void {
    this.plot?.setSize({ width: Math.max(this.root.clientWidth, 1), height });
  }

  private readOut(plot: uPlot): void {
    const at = ({ layers }: ShownLosses): string | undefined => {
      const layer = plot.cursor.idx == null ? undefined : layers[plot.cursor.idx];
      return layer && `${layer.loss.toFixed(4)} ± ${formatStderr(layer.stderr)}`;
    };
    const [loss, calibrated] = [at(this.shown), this.shown.calibrated && at(this.shown.calibrated)];
    const also = calibrated === undefined ? '' : ` · calibrated ${calibrated}`;
    this.readout.textContent = loss === undefined ? '' : `Layer ${plot.cursor.idx! + 1}: ${loss}${also}`;
  }

  private markCuts(plot: uPlot, theme: PlotTheme): void {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.font = theme.font.replace('12px', `bold ${12 * devicePixelRatio}px`);
    ctx.textBaseline = 'top';
    const { cuts, calibrated } = this.shown;
    const marks = [
      ...cuts.map(({ name, layer }) => ({ layer, label: `${name}: ${layer}`, colour: theme[name] })),
      ...(calibrated?.cuts ?? []).map(({ name, layer }) => ({ layer, label: `${name}, calibrated: ${layer}`, colour: theme.calibrated })),
    ];
    for (const [row, { layer, label, colour }] of marks.entries()) {
      const x = Math.round(plot.valToPos(layer, 'x', true));
      ctx.strokeStyle = ctx.fillStyle = colour;
      ctx.lineWidth = 2 * theme.emphasis * devicePixelRatio;
      ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      const gap = 5 * devicePixelRatio;
      const fitsRight = x + gap + ctx.measureText(label).width < bbox.left + bbox.width;
      ctx.textAlign = fitsRight ? 'left' : 'right';
      // Each in a line of its own, so that neighbouring cuts stay legible.
      ctx.fillText(label, fitsRight ? x + gap : x - gap, bbox.top + gap + row * 16 * devicePixelRatio);
    }
    ctx.restore();
  }
}

function columns({ layers, calibrated }: ShownCurve): uPlot.AlignedData {
  return [
    layers.map(({ layer }) => layer),
    layers.map(({ loss, stderr }) => loss + stderr),
    layers.map(({ loss, stderr }) => loss - stderr),
    layers.map(({ loss }) => loss),
    layers.map((_, i) => calibrated?.layers[i]?.loss ?? null),
  ];
}

function translucent(colour: string): string {
  return `color-mix(in srgb, ${colour} 22%, transparent)`;
}
