import { setTimeout } from 'node:timers/promises';
import { Encoder } from '../../src/encoder/encoder.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { tensorflowEngine } from '../../src/engine/tensorflow/engine.ts';
import { describeError } from '../../src/errors.ts';
import { median, times, type Measure } from './report.ts';
import { pauseMilliseconds, settings, textsOf, type Setup } from './setup.ts';
import { OurTraining, trainedModel, training, trainingBatch } from './train-setup.ts';

/** Seconds of one round of work. */
interface Work {
  seconds(): Promise<number>;
  dispose(): Promise<void>;
}

/** Real tokens a second of encoding and of training steps over ONNX Runtime, beside TensorFlow, on the same texts. */
export async function engines(setup: Setup): Promise<Measure[]> {
  const { home, threads } = setup;
  const tensorflow = await tensorflowEngine({ home, threads, device: 'cpu' }).catch((error: unknown) => describeError(error).message);
  const { layers } = trainedModel(setup);
  return [
    await compare(setup, tensorflow, `encoding, ${layers} layers`, (engine) => openEncoding(setup, engine, layers)),
    await compare(setup, tensorflow, `training step, ${layers} layers, LoRA ${training.rank}, batch ${training.rows} × 3`, async (engine) => openTraining(setup, engine)),
  ];
}

/** Both engines do the work in turn; the best round of each counts. */
async function compare(setup: Setup, tensorflow: Engine | string, title: string, open: (engine: Engine) => Promise<Work>): Promise<Measure> {
  const { queries, documents } = trainingBatch(setup);
  const tokens = [...queries, ...documents].reduce((sum, { ids }) => sum + ids.length, 0);
  const ours = await open(setup.engine);
  const theirs = typeof tensorflow === 'string' ? undefined : await open(tensorflow);
  const seconds: [number, number][] = [];
  // The first round warms both up and does not count.
  for (let round = 0; round <= setup.rounds; round++) {
    await setTimeout(pauseMilliseconds);
    const first = await ours.seconds();
    await setTimeout(pauseMilliseconds);
    seconds.push([first, (await theirs?.seconds()) ?? NaN]);
  }
  await ours.dispose();
  await theirs?.dispose();
  const counted = seconds.slice(1);
  const best = (side: 0 | 1): number => Math.min(...counted.map((round) => round[side]));
  const speed = (side: 0 | 1): string => (tokens / best(side)).toFixed(0);
  return {
    what: `${title}, ONNX Runtime: real tokens/s (${tokens} tokens, best of ${setup.rounds} rounds)`,
    ours: speed(0),
    against: typeof tensorflow === 'string' ? `missing: ${tensorflow}` : `${speed(1)} TensorFlow`,
    ratio: theirs === undefined ? '–' : `${times(best(1) / best(0))} (median of rounds ${times(median(counted.map(([a, b]) => b / a)))})`,
    asked: 'measured',
  };
}

async function openEncoding(setup: Setup, engine: Engine, layers: number): Promise<Work> {
  const encoder = await Encoder.open(engine, setup.checkpoint, { ...settings, layers, output: 'last' });
  const texts = textsOf(encoder, setup.triplets.slice(0, training.rows));
  const seconds = async (): Promise<number> => {
    const start = performance.now();
    await encoder.encode(texts);
    return (performance.now() - start) / 1000;
  };
  return { seconds, dispose: () => encoder.dispose() };
}

function openTraining(setup: Setup, engine: Engine): Work {
  const steps = new OurTraining(engine, trainedModel(setup), trainingBatch(setup));
  return { seconds: async () => (await steps.step()).seconds, dispose: () => steps.dispose() };
}
