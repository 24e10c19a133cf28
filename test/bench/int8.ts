import { setTimeout } from 'node:timers/promises';
import { dot } from '../../src/dot.ts';
import type { Encoder } from '../../src/encoder/encoder.ts';
import type { EncoderText } from '../../src/encoder/prompt.ts';
import { operatorShares } from './operators.ts';
import { Peer, whyNoPeer } from './peer.ts';
import { median, times, type Measure } from './report.ts';
import { bucketOf, encodedLayers, pauseMilliseconds, settings, textsOf, withEncoder, type Setup } from './setup.ts';

/** As the encode bench. */
const tripletCount = 32;
/** Texts that are encoded alone, too. */
const aloneCount = 16;

/** Seconds of each bucket. */
interface Round {
  readonly float32: number[];
  readonly int8: number[];
  readonly theirs: number[];
}

/** Encoding in int8 beside PyTorch under bfloat16 autocast and ourselves in float32, how far the vectors are apart, and where the time goes. */
export async function int8Encoding(setup: Setup): Promise<Measure[]> {
  const layers = encodedLayers(setup);
  const missing = whyNoPeer();
  const peer = missing === undefined ? await Peer.open(setup.checkpoint.directory, { layers, every: false, threads: setup.threads, bfloat16: true }) : undefined;
  const options = { ...settings, layers, output: 'last' } as const;
  try {
    return await withEncoder(setup, options, (float32) =>
      withEncoder(setup, { ...options, precision: 'int8' }, async (int8) => {
        const texts = textsOf(float32, setup.triplets.slice(0, tripletCount));
        const rounds: Round[] = [];
        // The first round warms all sides up and does not count.
        for (let round = 0; round <= setup.rounds; round++) rounds.push(await alternate(float32, int8, texts, peer));
        const beside = peer === undefined ? `missing: ${missing}` : `${peer.name}, bfloat16 autocast`;
        return [...speeds(rounds.slice(1), texts, layers, beside), await distance(float32, int8, texts), await neighbours(int8, texts), ...(await operatorShares(setup, options, texts))];
      }),
    );
  } finally {
    await peer?.close();
  }
}

/** One round: the sides run bucket after bucket in turn. */
async function alternate(float32: Encoder, int8: Encoder, texts: readonly EncoderText[], peer: Peer | undefined): Promise<Round> {
  const round: Round = { float32: [], int8: [], theirs: [] };
  const [runs, runsInt8] = [float32.runs(texts), int8.runs(texts)];
  for (;;) {
    const first = await timed(() => runs.next());
    const second = await timed(() => runsInt8.next());
    if (first.result.done) return round;
    round.float32.push(first.seconds);
    round.int8.push(second.seconds);
    if (peer === undefined) continue;
    await setTimeout(pauseMilliseconds);
    round.theirs.push((await peer.run(bucketOf(first.result.value.texts.map((place) => texts[place]!)))).seconds);
  }
}

async function timed<R>(work: () => Promise<R>): Promise<{ result: R; seconds: number }> {
  await setTimeout(pauseMilliseconds);
  const start = performance.now();
  const result = await work();
  return { result, seconds: (performance.now() - start) / 1000 };
}

/** A bucket counts with its best round. */
function speeds(rounds: readonly Round[], texts: readonly EncoderText[], layers: number, beside: string): Measure[] {
  const tokens = sum(texts.map(({ ids }) => ids.length));
  const seconds = (side: keyof Round): number => sum(rounds[0]![side].map((_, bucket) => Math.min(...rounds.map((round) => round[side][bucket]!))));
  const speed = (side: keyof Round): string => (tokens / seconds(side)).toFixed(0);
  const row = (side: keyof Round, name: string, asked: string): Measure => {
    const isThere = rounds[0]![side].length > 0;
    return {
      what: `encoding in int8, ${layers} layers: real tokens/s (${tokens} tokens, best of ${rounds.length} rounds)`,
      ours: speed('int8'),
      against: isThere ? `${speed(side)} ${name}` : name,
      ratio: isThere ? `${times(seconds(side) / seconds('int8'))} (median of rounds ${times(median(rounds.map((round) => sum(round[side]) / sum(round.int8))))})` : '–',
      asked,
    };
  };
  return [row('theirs', beside, '≥ 1.30 × without AMX'), row('float32', 'ours in float32', '≥ 2.00 × without AMX')];
}

async function distance(float32: Encoder, int8: Encoder, texts: readonly EncoderText[]): Promise<Measure> {
  const size = float32.checkpoint.config.hiddenSize;
  const [a, b] = [await float32.encode(texts), await int8.encode(texts)];
  const distances = texts.map((_, i) => distanceOf(a.subarray(i * size, (i + 1) * size), b.subarray(i * size, (i + 1) * size)));
  return {
    what: `cosine distance of ${texts.length} vectors in int8 from those in float32: the largest`,
    ours: Math.max(...distances).toExponential(1),
    against: `median ${median(distances).toExponential(1)}`,
    ratio: '–',
    asked: '< 1e-2',
  };
}

/** How much a vector depends on what is encoded with it. */
async function neighbours(int8: Encoder, texts: readonly EncoderText[]): Promise<Measure> {
  const size = int8.checkpoint.config.hiddenSize;
  const together = await int8.encode(texts);
  const differences: number[] = [];
  for (let i = 0; i < Math.min(aloneCount, texts.length); i++) {
    const own = together.subarray(i * size, (i + 1) * size);
    const alone = await int8.encode([texts[i]!]);
    differences.push(Math.hypot(...alone.map((x, d) => x - own[d]!)) / Math.hypot(...alone));
  }
  return {
    what: `a vector in int8 alone beside the same among ${texts.length}: largest difference over its length`,
    ours: Math.max(...differences).toExponential(1),
    against: `${differences.filter((difference) => difference === 0).length} of ${differences.length} are the same bits`,
    ratio: '–',
    asked: '≤ 1e-6',
  };
}

const distanceOf = (a: Float32Array, b: Float32Array): number => 1 - dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
