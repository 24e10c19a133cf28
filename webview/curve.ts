import type { LayerLoss, RunView } from '../src/protocol/panel.ts';

/** One curve as plot and table draw it: the losses at one scale, and the cuts where the profile is finished. */
export interface ShownCurve {
  readonly scale: string | undefined;
  readonly layers: readonly LayerLoss[];
  readonly cuts: ReadonlyArray<{ readonly name: 'small' | 'large'; readonly layer: number; readonly confidence: number | undefined }>;
}

/** The scales that can be chosen, the run's own first; none while the profile runs. */
export function scalesOf(run: RunView): readonly string[] {
  if (run.curve === undefined) return [];
  const own = String(run.curve.settings.scale);
  return [own, ...Object.keys(run.curve.scales).filter((scale) => scale !== own)];
}

/** The curve at a scale, or what is known of it so far. */
export function curveAt(run: RunView, scale: string | undefined): ShownCurve {
  const { curve } = run;
  const at = scale === undefined ? undefined : curve?.scales[scale];
  if (curve === undefined || scale === undefined || at === undefined) return { scale: undefined, layers: run.layers, cuts: [] };
  const isOwn = scale === String(curve.settings.scale);
  const confidence = (name: 'small' | 'large'): number | undefined =>
    isOwn ? curve.confidence[name].find(([layer]) => layer === at[name])?.[1] : undefined;
  return {
    scale,
    layers: at.losses.map((loss, index) => ({ layer: index + 1, loss, stderr: at.stderr[index] ?? 0 })),
    cuts: (['small', 'large'] as const).map((name) => ({ name, layer: at[name], confidence: confidence(name) })),
  };
}

/** The curve in a sentence, for those who do not see the plot. */
export function describeCurve({ layers, cuts }: ShownCurve): string {
  if (layers.length === 0) return 'The loss by layer, not measured yet.';
  const lowest = layers.reduce((best, layer) => (layer.loss < best.loss ? layer : best));
  const where = cuts.map(({ name, layer }) => ` The ${name} cut keeps ${layer}.`).join('');
  return `The loss after each of ${layers.length} layers, lowest at layer ${lowest.layer} with ${lowest.loss.toFixed(3)}.${where}`;
}

/** One batch alone has no spread to tell an error by. */
export function formatStderr(stderr: number): string {
  return stderr === 0 ? '–' : stderr.toFixed(4);
}
