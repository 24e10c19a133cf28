import type { LossCurve } from '../prune/curve.ts';

const height = 12;

/**
 * The loss by layer as text: a dot a layer, `S` and `L` where small and large cut, and the layers along the axis. Plain
 * characters, so that it reads the same in every terminal and log.
 */
export function plotCurve({ layers, small, large }: LossCurve): string {
  const losses = layers.map(({ loss }) => loss);
  const low = Math.min(...losses);
  const high = Math.max(...losses);
  const width = layers.length > 50 ? 1 : 2;
  const rowOf = (loss: number): number => (high === low ? 0 : Math.round(((loss - low) / (high - low)) * (height - 1)));

  const lines: string[] = ['  loss'];
  for (let row = height - 1; row >= 0; row--) {
    const value = low + ((high - low) * row) / (height - 1);
    const cells = layers.map(({ layer, loss }) => {
      if (rowOf(loss) !== row) return ' '.repeat(width);
      const mark = layer === small ? 'S' : layer === large ? 'L' : '•';
      return mark.padStart(width);
    });
    lines.push(`${value.toFixed(2).padStart(7)} ┤${cells.join('')}`.trimEnd());
  }
  lines.push(`${' '.repeat(8)}└${'─'.repeat(layers.length * width + 1)}`);
  lines.push(`${' '.repeat(9)}${axis(layers.length, width)}  layers kept`);
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
  const share = (choices: LossCurve['confidence']['small']): string =>
    choices
      .filter(([, probability], rank) => rank === 0 || (rank < 3 && probability >= 0.01))
      .map(([layer, probability]) => `${layer} (${Math.round(probability * 100)} %)`)
      .join(', ');
  const of = (kept: number): string => `${kept} of ${curve.layers.length} layers`;
  return [
    `small (S): ${of(curve.small)}; chosen in resamples: ${share(curve.confidence.small)}`,
    `large (L): ${of(curve.large)}; chosen in resamples: ${share(curve.confidence.large)}`,
    ...curve.warnings.map((warning) => `note: ${warning}`),
    `model ${model.name}, fingerprint ${model.fingerprint}`,
    `${settings.batches} batches of ${settings.batchSize} triplets at scale ${settings.scale}, up to ${settings.maxLength} tokens, seed ${settings.seed}, data ${data.fingerprint.slice(0, 16)}${data.skipped > 0 ? `, ${data.skipped} rows skipped` : ''}`,
    `${curve.tokens} tokens in ${curve.seconds.toFixed(1)} s (${Math.round(curve.tokens / curve.seconds)} tokens/s, ${Math.round(curve.fill * 100)} % of those computed), peak ${Math.round(curve.peakBytes / 1e6)} MB`,
    '',
  ].join('\n');
}
