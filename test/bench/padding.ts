import { Encoder } from '../../src/encoder/encoder.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { share, type Measure } from './report.ts';
import { settings, textsOf, type Setup } from './setup.ts';

/** Shapes of a profile: its default, and the demo's. */
const shapes = [
  { batchSize: 64, maxLength: 512 },
  { batchSize: 32, maxLength: 128 },
];

/** Plans runs as ever and computes nothing: padding is decided before anything is. */
const idle: Engine = {
  name: 'onnx',
  compile: async () => ({
    run: async () => new Proxy({}, { get: () => ({ data: new Float32Array(), shape: [] }) }) as never,
    dispose: async () => {},
  }),
  differentiate: () => Promise.reject(new Error('padding trains nothing')),
};

/** Share of computed tokens that are real when the data is profiled in whole batches. */
export async function padding({ checkpoint, triplets }: Setup): Promise<Measure[]> {
  return Promise.all(
    shapes.map(async ({ batchSize, maxLength }) => {
      const layers = checkpoint.config.numHiddenLayers;
      const encoder = await Encoder.open(idle, checkpoint, { ...settings, maxLength, output: 'every' });
      let [tokens, computed, batches] = [0, 0, 0];
      for (let at = 0; at + batchSize <= triplets.length; at += batchSize, batches++) {
        for await (const run of encoder.runs(textsOf(encoder, triplets.slice(at, at + batchSize)))) {
          tokens += run.tokens;
          computed += run.computed;
        }
      }
      return {
        what: `padding of a profile, ${layers} layers, ${batches} batches of ${batchSize}, up to ${maxLength} tokens: real tokens`,
        ours: String(tokens),
        against: `${computed} computed`,
        ratio: share(tokens / computed),
        asked: '≥ 90 %',
      };
    }),
  );
}
