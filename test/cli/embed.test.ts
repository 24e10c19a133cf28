import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { Attention, Pooling } from '../../src/encoder/settings.ts';
import { inputOf, referenceArray, worstDifference } from '../reference.ts';
import { reference } from './data.ts';
import { linesOf, LLAMA, names, useCli, type Ran } from './harness.ts';

const cli = useCli();
const size = 64;
const embed = (input: string, ...args: string[]): Promise<Ran> =>
  cli.run(['embed', '--model', LLAMA, '--max-length', '96', '--threads', '2', ...args], { input });
const lines = (inputs: readonly object[]): string => inputs.map((input) => `${JSON.stringify(input)}\n`).join('');
const inputs = reference.inputs.map(inputOf);

/** The document at the end of standard error. */
const summaryIn = (stderr: string): Record<string, number> => JSON.parse(stderr.trimEnd().split('\n').at(-1)!) as Record<string, number>;

interface Embedded {
  readonly embedding: number[];
}
interface EmbeddedLayers {
  readonly layers: number[][];
}

/** Row `layer` of a reference array [L, n, d]. */
const atLayer = (array: Float32Array, layer: number): Float32Array =>
  array.subarray((layer - 1) * inputs.length * size, layer * inputs.length * size);

describe('l3prune embed gives the vectors of PyTorch', () => {
  it.each([3, 6])('after %i layers', async (layer) => {
    const array = await referenceArray('llama', 'embeddings.causal.weighted_mean');
    const vectors = linesOf<Embedded>(await embed(lines(inputs), '--layer', String(layer))).map(({ embedding }) => embedding);
    expect(worstDifference(Float32Array.from(vectors.flat()), atLayer(array, layer), size)).toBeLessThan(5e-5);
  });

  it.each<[Attention, Pooling]>([
    ['causal', 'weighted_mean'],
    ['bidirectional', 'last_token'],
  ])('after every layer (%s, %s)', async (attention, pooling) => {
    const array = await referenceArray('llama', `embeddings.${attention}.${pooling}`);
    const found = linesOf<EmbeddedLayers>(await embed(lines(inputs), '--all-layers', '--attention', attention, '--pooling', pooling));
    for (let layer = 1; layer <= 6; layer++) {
      const vectors = Float32Array.from(found.flatMap(({ layers }) => layers[layer - 1]!));
      expect(worstDifference(vectors, atLayer(array, layer), size)).toBeLessThan(5e-5);
    }
  });

  it('and with --tokens the ids, spans and pooled tokens of its tokenizer', async () => {
    const found = linesOf(await embed(lines(inputs), '--tokens', '--layer', '1'));
    expect(found).toEqual(
      reference.inputs.map(({ ids, spans, pooled_mask }) => ({ embedding: expect.any(Array) as number[], ids, spans, pooled: pooled_mask })),
    );
  });
});

describe('a vector', () => {
  it('is the same whatever stands beside its text, to 1e-6', async () => {
    const forth = linesOf<Embedded>(await embed(lines(inputs)));
    const back = linesOf<Embedded>(await embed(lines(inputs.toReversed()))).toReversed();
    const alone = linesOf<Embedded>(await embed(lines([inputs[3]!])))[0]!;
    const flat = (rows: readonly Embedded[]): Float32Array => Float32Array.from(rows.flatMap(({ embedding }) => embedding));
    expect(worstDifference(flat(back), flat(forth), size)).toBeLessThan(1e-6);
    expect(worstDifference(flat([alone]), flat([forth[3]!]), size)).toBeLessThan(1e-6);
  });

  it('does not depend on which window of the stream its text is in', async () => {
    const many = Array.from({ length: 600 }, (_, i) => ({ text: `text ${i % 7} of many` }));
    const found = linesOf<Embedded>(await embed(lines(many)));
    expect(found).toHaveLength(600);
    for (const [i, { embedding }] of found.entries())
      expect(worstDifference(Float32Array.from(embedding), Float32Array.from(found[i % 7]!.embedding), size)).toBeLessThan(1e-6);
  });

  it('is written with every digit that a float32 has', async () => {
    const [row] = linesOf<Embedded>(await embed('a text\n'));
    const [again] = linesOf<Embedded>(await embed('a text\n'));
    expect(row).toEqual(again);
    expect(new Set(row!.embedding).size).toBe(size);
  });
});

describe('what embed reports', () => {
  it('is its vectors alone on standard output, and with --json a document as the last line of standard error', async () => {
    const ran = await embed('a text\nanother\n', '--json');
    expect(linesOf(ran)).toHaveLength(2);
    const summary = summaryIn(ran.stderr);
    expect(Object.keys(summary)).toEqual(['texts', 'tokens', 'loadSeconds', 'seconds', 'peakBytes']);
    expect(summary['texts']).toBe(2);
  });

  it('is a sentence without --json', async () => {
    const { stderr } = await embed('a text\n');
    expect(stderr).toMatch(/^1 texts?, \d+ tokens in \d+\.\d s after \d+\.\d s of loading, peak \d+ MB\n$/m);
  });

  it('is nothing for no text', async () => {
    expect(await embed('')).toMatchObject({ stdout: '', code: 0 });
  });
});

describe('a long stream', () => {
  const peakOf = async (count: number): Promise<number> => {
    const { stdout, stderr } = await cli.run(['embed', '--model', LLAMA, '--json', '--layer', '1'], {
      input: 'a short line\n'.repeat(count),
      // What nobody holds any more is collected soon, not when the machine's memory runs short.
      env: { NODE_OPTIONS: '--max-old-space-size=24 --max-semi-space-size=1' },
    });
    expect(stdout.split('\n')).toHaveLength(count + 1);
    return summaryIn(stderr)['peakBytes']!;
  };

  it('takes no more memory than a shorter one', async () => {
    const long = process.env['L3PRUNE_LONG'] === '1' ? 100_000 : 20_000;
    const [short, longer] = [await peakOf(4_000), await peakOf(long)];
    expect(longer - short).toBeLessThan(15e6);
  }, 300_000);

  it('whose reader has seen enough ends without a word', async () => {
    const { child, ended } = cli.start(['embed', '--model', LLAMA]);
    ended.catch(() => undefined);
    child.stdin.end('a text\n'.repeat(2_000));
    child.stdout.once('data', () => child.stdout.destroy());
    expect(await once(child, 'exit')).toEqual([0, null]);
  });
});

describe('outside of the data home', () => {
  it('nothing is written, and nothing kept that ONNX Runtime would send to its makers', async () => {
    const home = cli.path('person');
    const ran = await cli.run(['embed', '--model', LLAMA], { input: 'read a file\n', env: { HOME: home, USERPROFILE: home, LOCALAPPDATA: home } });
    expect(linesOf(ran)).toHaveLength(1);
    expect(await names(home)).toEqual([]);
  });
});
