import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { EncoderText } from '../../src/encoder/prompt.ts';
import { IndexEncoder } from '../../src/index/encoder.ts';
import { defaultFileRules } from '../../src/index/files/defaults.ts';
import { locateIndex, prepareLocation } from '../../src/index/location.ts';
import { IndexWriter } from '../../src/index/store/writer.ts';
import { embedPending } from '../../src/index/update/embed.ts';
import { Pace } from '../../src/index/update/pace.ts';
import { scanWorkspace } from '../../src/index/update/scan.ts';
import { chunkedTexts } from '../../src/index/update/texts.ts';
import { acquireWriterLock } from '../../src/index/writer-lock.ts';
import { median, times, type Measure } from './report.ts';
import { encodedLayers, pauseMilliseconds, type Setup } from './setup.ts';

const precisions = ['float32', 'int8'] as const;
type Precision = (typeof precisions)[number];
type Seconds = Record<Precision, { index: number; plain: number }>;

/**
 * Embedding as the index does it (reading and cutting the files again, tokenizing, committing, asking whether anybody
 * waits) beside the encoder alone on the same texts, in turn. The functions themselves: a process of its own would count
 * how it starts.
 */
export async function embeddingSpeed(setup: Setup, workspace: string): Promise<Measure[]> {
  const layers = encodedLayers(setup);
  const encoders = await Promise.all(
    precisions.map((precision) => IndexEncoder.open({ model: setup.checkpoint.directory, layers, precision }, { home: setup.scratch, threads: setup.threads, engine: 'onnx' })),
  );
  const rounds: Seconds[] = [];
  let tokens = 0;
  // The first round warms up and does not count.
  for (let round = 0; round <= setup.rounds; round++) {
    const seconds = {} as Seconds;
    for (const [i, precision] of precisions.entries()) {
      const index = await indexOnce(setup, encoders[i]!, workspace, join(setup.scratch, `embedding-${precision}-${round}`));
      const plain = await encodeOnce(encoders[i]!, index.paths.map((path) => join(workspace, path)));
      if (plain.tokens !== index.tokens) throw new Error(`The index embeds ${index.tokens} tokens and the encoder ${plain.tokens}: not the same texts.`);
      tokens = index.tokens;
      seconds[precision] = { index: index.seconds, plain: plain.seconds };
    }
    rounds.push(seconds);
  }
  for (const encoder of encoders) await encoder.dispose();
  const counted = rounds.slice(1);
  const best = (precision: Precision, what: 'index' | 'plain'): number => Math.min(...counted.map((round) => round[precision][what]));
  const speed = (seconds: number): string => `${(tokens / seconds).toFixed(0)}`;
  const row = (own: Precision, other: Precision): Measure => ({
    what: `embedding in the index, ${own}, ${layers} layers, ${setup.threads} threads: real tokens/s (${tokens} tokens, best of ${setup.rounds} rounds)`,
    ours: speed(best(own, 'index')),
    against: `${speed(best(other, 'plain'))} of the encoder alone, ${other}`,
    ratio: `${times(best(other, 'plain') / best(own, 'index'))} (median of rounds ${times(median(counted.map((round) => round[other].plain / round[own].index)))})`,
    asked: '≥ 0.80 ×',
  });
  return [row('float32', 'float32'), row('int8', 'int8'), row('int8', 'float32')];
}

/** The vectors of a fresh index, whose words are there. */
async function indexOnce({ home: dataHome }: Setup, encoder: IndexEncoder, workspace: string, home: string) {
  const location = await locateIndex(home, workspace);
  await prepareLocation(location);
  const lock = await acquireWriterLock(location);
  const writer = IndexWriter.open(location.database);
  await end(scanWorkspace(writer, location.root, { rules: defaultFileRules }));
  const stored = writer.setTargetEncoder(encoder.fingerprint, encoder.dimensions, encoder.source);
  const pace = new Pace({ home: dataHome, location, lock, regardless: true });
  await setTimeout(pauseMilliseconds);
  const start = performance.now();
  const { tokens } = await end(
    embedPending(writer, { encoder, stored, root: location.root, mostBytes: defaultFileRules.mostBytes, pace: () => pace.wait(), mostSeconds: () => pace.mostSeconds() }),
  );
  const seconds = (performance.now() - start) / 1000;
  const paths = writer.files().map(({ path }) => path);
  writer.close();
  await lock.release();
  return { seconds, tokens, paths };
}

/** The same texts, by the encoder alone. */
async function encodeOnce(encoder: IndexEncoder, files: readonly string[]) {
  const contexts = new Set<string>();
  for (const file of files) for (const { context } of await chunkedTexts(await readFile(file, 'utf8'), file)) contexts.add(context);
  const texts = Array.from(contexts, (context) => encoder.prepare(context)).filter((text): text is EncoderText => text !== undefined);
  await setTimeout(pauseMilliseconds);
  const start = performance.now();
  await encoder.encoder.encode(texts);
  return { seconds: (performance.now() - start) / 1000, tokens: texts.reduce((sum, { ids }) => sum + ids.length, 0) };
}

/** What a generator returns. */
async function end<R>(steps: AsyncGenerator<unknown, R>): Promise<R> {
  for (;;) {
    const step = await steps.next();
    if (step.done) return step.value;
  }
}
