import type { LayerLoss, LossCurve, RunView } from '../src/protocol/panel.ts';

/** Where a curve says to cut. */
export interface ShownCut {
  readonly name: 'small' | 'large';
  readonly layer: number;
  /** Share of resamples that cut there, at the scale of the run. */
  readonly confidence: number | undefined;
}

/** Losses by layer, and the cuts where the profile is finished. */
export interface ShownLosses {
  readonly layers: readonly LayerLoss[];
  readonly cuts: readonly ShownCut[];
}

/** What plot and table draw: the losses at one scale, and beside them those of calibrated vectors where they are wanted. */
export interface ShownCurve extends ShownLosses {
  readonly scale: string | undefined;
  readonly calibrated: ShownLosses | undefined;
}

/** What the person has chosen to see. */
export interface CurveChoice {
  readonly scale: string | undefined;
  readonly calibrated: boolean;
}

/** The scales that can be chosen, the run's own first; none while the profile runs. */
export function scalesOf(run: RunView): readonly string[] {
  if (run.curve === undefined) return [];
  const own = String(run.curve.settings.scale);
  return [own, ...Object.keys(run.curve.scales).filter((scale) => scale !== own)];
}

/** The curve that was chosen, or what is known of it so far. */
export function curveAt(run: RunView, { scale, calibrated }: CurveChoice): ShownCurve {
  const { curve } = run;
  const own = curve === undefined || scale === undefined ? undefined : lossesAt(curve, scale, curve);
  if (curve === undefined || own === undefined) return { scale: undefined, layers: run.layers, cuts: [], calibrated: undefined };
  return { scale, ...own, calibrated: calibrated && curve.calibrated ? lossesAt(curve.calibrated, scale!, curve) : undefined };
}

function lossesAt(
  { scales, confidence }: Pick<LossCurve, 'scales' | 'confidence'>,
  scale: string,
  { settings }: LossCurve,
): ShownLosses | undefined {
  const at = scales[scale];
  if (at === undefined) return undefined;
  const isOwn = scale === String(settings.scale);
  const share = (name: ShownCut['name']): number | undefined => (isOwn ? confidence[name].find(([layer]) => layer === at[name])?.[1] : undefined);
  return {
    layers: at.losses.map((loss, index) => ({ layer: index + 1, loss, stderr: at.stderr[index] ?? 0 })),
    cuts: (['small', 'large'] as const).map((name) => ({ name, layer: at[name], confidence: share(name) })),
  };
}

/** The curve in a sentence or two, for those who do not see the plot. */
export function describeCurve({ layers, cuts, calibrated }: ShownCurve): string {
  if (layers.length === 0) return 'The loss by layer, not measured yet.';
  const also = calibrated === undefined ? '' : ` Calibrated, it is ${whereLowest(calibrated)}`;
  return `The loss after each of ${layers.length} layers, ${whereLowest({ layers, cuts })}${also}`;
}

function whereLowest({ layers, cuts }: ShownLosses): string {
  const lowest = layers.reduce((best, layer) => (layer.loss < best.loss ? layer : best));
  const where = cuts.map(({ name, layer }) => ` The ${name} cut keeps ${layer}.`).join('');
  return `lowest at layer ${lowest.layer} with ${lowest.loss.toFixed(3)}.${where}`;
}

/** One batch alone has no spread to tell an error by. */
export function formatStderr(stderr: number): string {
  return stderr === 0 ? '–' : stderr.toFixed(4);
}
