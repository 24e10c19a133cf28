import { setTimeout } from 'node:timers/promises';
import type { Encoder } from '../../src/encoder/encoder.ts';
import type { EncoderText } from '../../src/encoder/prompt.ts';
import { Peer, whyNoPeer } from './peer.ts';
import { gigaflops, median, times, type Measure } from './report.ts';
import { bucketOf, operationsOfText, pauseMilliseconds, settings, textsOf, withEncoder, type Setup } from './setup.ts';

/** Real tokens a second of a layerwise profile's forward passes, beside PyTorch in float32. */
export const profileThroughput = (setup: Setup): Promise<Measure> =>
  compare(setup, `layerwise profile, ${setup.checkpoint.config.numHiddenLayers} layers`, setup.checkpoint.config.numHiddenLayers, 'every', 32);

/** Real tokens a second of encoding with the model cut to 8 layers, beside PyTorch in float32. */
export const encodeThroughput = (setup: Setup): Promise<Measure> => {
  const layers = Math.min(8, setup.checkpoint.config.numHiddenLayers);
  return compare(setup, `encoding, ${layers} layers`, layers, 'last', 32);
};

/** Vectors further apart than this are not the same computation. */
const sameVector = 1e-3;

/** Both sides run the same buckets in turn; a bucket counts with its best round. */
async function compare(setup: Setup, title: string, layers: number, output: 'every' | 'last', triplets: number): Promise<Measure> {
  const missing = whyNoPeer();
  const every = output === 'every';
  const peer = missing === undefined ? await Peer.open(setup.checkpoint.directory, { layers, every, threads: setup.threads }) : undefined;
  try {
    return await withEncoder(setup, { ...settings, layers, output }, async (encoder) => {
      const texts = textsOf(encoder, setup.triplets.slice(0, triplets));
      const tokens = texts.reduce((sum, text) => sum + text.ids.length, 0);
      const rounds: { ours: number[]; theirs: number[] }[] = [];
      // The first round warms both sides up and does not count.
      for (let round = 0; round <= setup.rounds; round++) rounds.push(await alternate(encoder, texts, peer));
      const [, ...counted] = rounds;
      const { config } = setup.checkpoint;
      const operations = sum(texts.map(({ ids }) => operationsOfText(config, layers, ids.length)));
      const seconds = (side: 'ours' | 'theirs'): number =>
        sum(counted[0]![side].map((_, bucket) => Math.min(...counted.map((round) => round[side][bucket]!))));
      const speed = (side: 'ours' | 'theirs'): string =>
        `${(tokens / seconds(side)).toFixed(0)} (${gigaflops(operations / seconds(side))} GFLOP/s)`;
      const ratios = counted.map((round) => sum(round.theirs) / sum(round.ours));
      return {
        what: `${title}: real tokens/s (${tokens} tokens, best of ${setup.rounds} rounds)`,
        ours: speed('ours'),
        against: peer === undefined ? `missing: ${missing}` : `${speed('theirs')} ${peer.name}, float32`,
        ratio: peer === undefined ? '–' : `${times(seconds('theirs') / seconds('ours'))} (median of rounds ${times(median(ratios))})`,
        asked: '≥ 1.80 ×',
      };
    });
  } finally {
    await peer?.close();
  }
}

/** One round: seconds of each bucket on each side, run after run. */
async function alternate(encoder: Encoder, texts: readonly EncoderText[], peer: Peer | undefined) {
  const ours: number[] = [];
  const theirs: number[] = [];
  const runs = encoder.runs(texts);
  for (;;) {
    await setTimeout(pauseMilliseconds);
    const start = performance.now();
    const step = await runs.next();
    const seconds = (performance.now() - start) / 1000;
    if (step.done) return { ours, theirs };
    ours.push(seconds);
    if (peer === undefined) continue;
    await setTimeout(pauseMilliseconds);
    const answer = await peer.run(bucketOf(step.value.texts.map((place) => texts[place]!)));
    theirs.push(answer.seconds);
    const size = encoder.checkpoint.config.hiddenSize;
    const place = (encoder.outputs - 1) * step.value.texts.length * size;
    expectSame(step.value.embeddings.subarray(place, place + size), answer.first);
  }
}

function expectSame(ours: Float32Array, theirs: readonly number[]): void {
  const difference = Math.hypot(...theirs.map((x, i) => x - ours[i]!)) / Math.hypot(...theirs);
  if (!(difference < sameVector)) throw new Error(`PyTorch computes something else: the vectors are ${difference} apart.`);
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
