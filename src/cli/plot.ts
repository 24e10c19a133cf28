import type { CutConfidence, LossCurve } from '../prune/curve.ts';

const height = 12;

/**
 * The loss by layer as text: a dot a layer, `S` and `L` where small and large cut, and the layers along the axis; the
 * calibrated loss as rings, `s` and `l`, where it was measured. Plain characters, so that it reads the same in every
 * terminal and log.
 */
export function plotCurve({ calibrated, ...plain }: LossCurve): string {
  // Where two marks fall into one place the first stays.
  const drawn = [{ ...plain, marks: { small: 'S', large: 'L', other: '•' } }, ...(calibrated ? [{ ...calibrated, marks: { small: 's', large: 'l', other: '◦' } }] : [])];
  const losses = drawn.flatMap(({ layers }) => layers.map(({ loss }) => loss));
  const low = Math.min(...losses);
  const high = Math.max(...losses);
  const width = plain.layers.length > 50 ? 1 : 2;
  const rowOf = (loss: number): number => (high === low ? 0 : Math.round(((loss - low) / (high - low)) * (height - 1)));

  const lines: string[] = ['  loss'];
  for (let row = height - 1; row >= 0; row--) {
    const value = low + ((high - low) * row) / (height - 1);
    const cells = plain.layers.map(({ layer }, i) => {
      const here = drawn.find(({ layers }) => rowOf(layers[i]!.loss) === row);
      if (here === undefined) return ' '.repeat(width);
      const mark = layer === here.small ? here.marks.small : layer === here.large ? here.marks.large : here.marks.other;
      return mark.padStart(width);
    });
    lines.push(`${value.toFixed(2).padStart(7)} ┤${cells.join('')}`.trimEnd());
  }
  lines.push(`${' '.repeat(8)}└${'─'.repeat(plain.layers.length * width + 1)}`);
  lines.push(`${' '.repeat(9)}${axis(plain.layers.length, width)}  layers kept`);
  return `${lines.join('\n')}\n`;
}

/** Every fifth layer's number, its last digit under the layer's own column. */
function axis(layers: number, width: number): string {
  const cells = Array.from({ length: layers * width }, () => ' ');
  for (let layer = 1; layer <= layers; layer++) {
    if (layer !== 1 && layer % 5 !== 0) continue;
    const digits = String(layer);
    for (let i = 0; i < digits.length; i++) cells[layer * width - digits.length + i] = digits[i]!;
  }
  return cells.join('');
}

/** What a curve says, in sentences. */
export function describeCurve(curve: LossCurve): string {
  const { model, data, settings } = curve;
  const share = (choices: CutConfidence['small']): string =>
    choices
      .filter(([, probability], rank) => rank === 0 || (rank < 3 && probability >= 0.01))
      .map(([layer, probability]) => `${layer} (${Math.round(probability * 100)} %)`)
      .join(', ');
  const cut = (kept: number, choices: CutConfidence['small']): string => `${kept} of ${curve.layers.length} layers; chosen in resamples: ${share(choices)}`;
  const { calibrated } = curve;
  return [
    `small (S): ${cut(curve.small, curve.confidence.small)}`,
    `large (L): ${cut(curve.large, curve.confidence.large)}`,
    ...(calibrated === undefined
      ? []
      : [
          `calibrated (◦, means taken off), small (s): ${cut(calibrated.small, calibrated.confidence.small)}`,
          `calibrated (◦, means taken off), large (l): ${cut(calibrated.large, calibrated.confidence.large)}`,
        ]),
    ...curve.warnings.map((warning) => `note: ${warning}`),
    `model ${model.name}, fingerprint ${model.fingerprint}`,
    `${settings.batches} batches of ${settings.batchSize} triplets at scale ${settings.scale}, up to ${settings.maxLength} tokens, seed ${settings.seed}, data ${data.fingerprint.slice(0, 16)}${data.skipped > 0 ? `, ${data.skipped} rows skipped` : ''}`,
    `${curve.tokens} tokens in ${curve.seconds.toFixed(1)} s (${Math.round(curve.tokens / curve.seconds)} tokens/s, ${Math.round(curve.fill * 100)} % of those computed), peak ${Math.round(curve.peakBytes / 1e6)} MB`,
    '',
  ].join('\n');
}
