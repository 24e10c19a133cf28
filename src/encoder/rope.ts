import type { DecoderConfig } from '../models/types.ts';

/**
 * Cosine and sine of position × frequency, [positions, headDim/2] each, computed in float64 and stored as float32.
 * Frequencies are theta^(-2i/headDim), rescaled as the config says (linear: Chen et al. 2023, arXiv 2306.15595; llama3:
 * the Llama 3.1 release, wavelengths between two bounds are interpolated).
 */
export function rotaryTables(config: DecoderConfig, positions: Int32Array): { cos: Float32Array; sin: Float32Array } {
  const half = config.headDim / 2;
  const frequencies = rotaryFrequencies(config);
  const known = new Map<number, number>();
  const cos = new Float32Array(positions.length * half);
  const sin = new Float32Array(positions.length * half);
  positions.forEach((position, row) => {
    const same = known.get(position);
    known.set(position, row);
    if (same !== undefined) {
      for (const table of [cos, sin]) table.copyWithin(row * half, same * half, (same + 1) * half);
      return;
    }
    for (let i = 0; i < half; i++) {
      const angle = position * frequencies[i]!;
      cos[row * half + i] = Math.cos(angle);
      sin[row * half + i] = Math.sin(angle);
    }
  });
  return { cos, sin };
}

function rotaryFrequencies({ headDim, ropeTheta, ropeScaling: scaling }: DecoderConfig): number[] {
  const base = Array.from({ length: headDim / 2 }, (_, i) => ropeTheta ** ((-2 * i) / headDim));
  switch (scaling.type) {
    case 'default':
      return base;
    case 'linear':
      return base.map((frequency) => frequency / scaling.factor);
    case 'llama3': {
      const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalMaxPositions } = scaling;
      return base.map((frequency) => {
        const turns = (originalMaxPositions * frequency) / (2 * Math.PI); // whole waves in the original context
        if (turns < low) return frequency / factor;
        if (turns > high) return frequency;
        const smooth = (turns - low) / (high - low);
        return ((1 - smooth) * frequency) / factor + smooth * frequency;
      });
    }
  }
}
