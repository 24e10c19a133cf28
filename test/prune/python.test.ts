/**
 * Invariant 3, held to the libraries themselves: a pruned folder opens in transformers with the same hidden states and
 * in sentence-transformers with the same embeddings. Set PYTHON to an interpreter that has torch, transformers and
 * sentence-transformers. These are gigabytes, too much for continuous integration: without them the check is skipped
 * there too, and says so.
 */
import { spawnSync } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { applyCalibration, type Calibration } from '../../src/encoder/calibration.ts';
import { Encoder } from '../../src/encoder/encoder.ts';
import type { EncoderText } from '../../src/encoder/prompt.ts';
import type { EncoderSettings } from '../../src/encoder/settings.ts';
import { openCheckpoint } from '../../src/models/checkpoint.ts';
import { readCalibration } from '../../src/prune/calibration.ts';
import { readManifest } from '../../src/prune/manifest.ts';
import { calibrateAt, type CalibrationProgress, type CalibrationRequest } from '../../src/prune/measure-calibration.ts';
import { pruneCheckpoint } from '../../src/prune/prune.ts';
import { engine, readReference, tripletsOf } from '../reference.ts';

const python = process.env.PYTHON ?? 'python3';
const missing = spawnSync(python, [
  '-c',
  'import importlib.util as u, sys; sys.exit(any(u.find_spec(m) is None for m in ("torch", "transformers", "sentence_transformers")))',
]).status;
if (missing !== 0)
  console.log(`Skipped: ${python} has no torch, transformers and sentence-transformers (set PYTHON to one that has).`);

const llama = join(import.meta.dirname, '../fixtures/llama/model');
const layers = 4;
const tolerance = 1e-4;
const texts = [
  'A binary search halves the range at every step.',
  'x',
  '  leading spaces belong to the text, and so do trailing ones   \n ',
  'Café naïve — 東京の天気は晴れです 🌦️ 👩\u200d💻 Ελλάδα и Москва',
  'def merge(left, right):\n\tout = []\n\n\n    return out + left + right  # stable\r\n',
  'a text that is longer than the model may read '.repeat(20),
];

interface Case {
  readonly title: string;
  readonly base: 'bos' | 'no bos';
  readonly settings: Pick<EncoderSettings, 'attention' | 'pooling'>;
  readonly instruction?: string;
  readonly separator?: string;
  /** Whether the folder brings a Python module of ours. */
  readonly trust: boolean;
  readonly calibration?: CalibrationRequest;
}

const cases: Case[] = [
  { title: 'a bos', base: 'bos', settings: { attention: 'causal', pooling: 'weighted_mean' }, trust: true },
  {
    title: 'a bos and an instruction',
    base: 'bos',
    settings: { attention: 'causal', pooling: 'weighted_mean' },
    instruction: 'Given a question, retrieve passages that answer it:',
    trust: true,
  },
  {
    title: 'an instruction that shares a token with the text',
    base: 'bos',
    settings: { attention: 'causal', pooling: 'weighted_mean' },
    instruction: 'Find what is like th',
    separator: '',
    trust: true,
  },
  {
    title: 'bidirectional attention',
    base: 'bos',
    settings: { attention: 'bidirectional', pooling: 'weighted_mean' },
    trust: true,
  },
  {
    title: 'bidirectional attention, an instruction and mean pooling',
    base: 'bos',
    settings: { attention: 'bidirectional', pooling: 'mean' },
    instruction: 'Find code:',
    trust: true,
  },
  {
    title: 'a bos and first_token pooling',
    base: 'bos',
    settings: { attention: 'causal', pooling: 'first_token' },
    trust: true,
  },
  {
    title: 'an instruction and last_token pooling, without a bos',
    base: 'no bos',
    settings: { attention: 'causal', pooling: 'last_token' },
    instruction: 'Find code:',
    trust: true,
  },
  ...(['weighted_mean', 'mean', 'last_token', 'first_token'] as const).map((pooling) => ({
    title: `neither bos nor instruction, by the stock ${pooling}`,
    base: 'no bos' as const,
    settings: { attention: 'causal' as const, pooling },
    trust: false,
  })),
  ...(['mean', 'router'] as const).flatMap((kind) =>
    [0, 2].flatMap((components) => [
      {
        title: `a ${kind} calibration with ${components} components, by the stock modules`,
        base: 'no bos' as const,
        settings: { attention: 'causal' as const, pooling: 'weighted_mean' as const },
        trust: false,
        calibration: { kind, components },
      },
      {
        title: `a ${kind} calibration with ${components} components, a bos and an instruction`,
        base: 'bos' as const,
        settings: { attention: 'causal' as const, pooling: 'weighted_mean' as const },
        instruction: 'Find code:',
        trust: true,
        calibration: { kind, components },
      },
    ]),
  ),
];

describe.skipIf(missing !== 0)('a pruned folder in Python', () => {
  let folder: string;
  let differences: { hidden: number; embeddings: number; alone: number }[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'l3prune-python-'));
    await copyWithoutBos(join(folder, 'no-bos'));
    const lines = [];
    for (const [index, one] of cases.entries()) lines.push(JSON.stringify(await prepare(one, join(folder, String(index)))));
    const script = join(import.meta.dirname, '../python/check_checkpoint.py');
    const { stdout, stderr, status } = spawnSync(python, [script], {
      input: lines.join('\n'),
      encoding: 'utf8',
      env: { ...process.env, HF_HUB_OFFLINE: '1', HF_MODULES_CACHE: join(folder, 'modules'), PYTHONDONTWRITEBYTECODE: '1' },
      maxBuffer: 1 << 26,
    });
    if (status !== 0) throw new Error(`${script} failed:\n${stderr.slice(-4000)}`);
    differences = stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line));
    const worst = (key: keyof (typeof differences)[number]): string => Math.max(...differences.map((one) => one[key])).toExponential(1);
    console.log(`Largest relative difference: hidden states ${worst('hidden')}, embeddings ${worst('embeddings')}, one by one ${worst('alone')}.`);
  });
  afterAll(async () => rm(folder, { recursive: true, force: true }));

  test.each(cases.map(({ title }, index) => ({ title, index })))('gives our numbers with $title', ({ index }) => {
    const { hidden, embeddings, alone } = differences[index]!;
    expect(hidden).toBeLessThan(tolerance);
    expect(embeddings).toBeLessThan(tolerance);
    expect(alone).toBeLessThan(tolerance);
  });

  /** Prunes the model, and writes down what our encoder makes of the folder. */
  async function prepare({ base, settings, instruction, separator = ' ', trust, calibration: request }: Case, out: string): Promise<object> {
    const source = await openCheckpoint(base === 'bos' ? llama : join(folder, 'no-bos'));
    const encoderSettings = { ...settings, maxLength: 96 };
    const ownSettings = { ...encoderSettings, separator, ...(instruction === undefined ? {} : { instruction }) };
    const calibration = request && (await measured(calibrateAt(engine, source, layers, tripletsOf(readReference('llama')), request, ownSettings)));
    await pruneCheckpoint(source, { depth: { kind: 'layers', layers }, out, encoder: ownSettings, curve: null, calibration });
    const checkpoint = await openCheckpoint(out);
    const encoder = await Encoder.open(engine, checkpoint, { ...encoderSettings, output: 'last' });
    const stater = await Encoder.open(engine, checkpoint, { ...encoderSettings, pooling: 'mean', output: 'last' });
    const size = checkpoint.config.hiddenSize;
    const rows = (vectors: Float32Array): number[][] =>
      Array.from({ length: vectors.length / size }, (_, i) => [...vectors.subarray(i * size, (i + 1) * size)]);

    const inputs = texts.flatMap((text) => [
      { text, query: false, prepared: encoder.prepare({ text }) },
      { text, query: true, prepared: encoder.prepare(instruction === undefined ? { text } : { text, instruction, separator }) },
    ]);
    const plain = await encoder.encode(inputs.map(({ prepared }) => prepared));
    const kept = await readCalibration(checkpoint, await readManifest(out), { ...settings, layers });
    const embeddings = inputs.map(({ query }, i) => {
      const vector = plain.subarray(i * size, (i + 1) * size);
      return [...(kept === undefined ? vector : applyCalibration(kept, query ? 'query' : 'document', [vector])[0]!)];
    });
    const hidden = [];
    for (const { prepared } of inputs.slice(0, 4)) {
      hidden.push({ ids: prepared.ids, states: rows(await stater.encode(everyToken(prepared))) });
    }
    await encoder.dispose();
    await stater.dispose();
    return { folder: out, trust, hidden, texts: inputs.map(({ text, query }, i) => ({ text, query, embedding: embeddings[i] })) };
  }
});

async function measured(running: AsyncGenerator<CalibrationProgress, Calibration>): Promise<Calibration> {
  for (;;) {
    const step = await running.next();
    if (step.done) return step.value;
  }
}

/** A text as often as it has tokens, each time with another one pooled: their mean is that token's hidden state. */
function everyToken(text: EncoderText): EncoderText[] {
  return text.ids.map((_, token) => ({ ...text, pooled: Uint8Array.from(text.ids, (_, i) => Number(i === token)) }));
}

/** The llama fixture with a tokenizer that adds nothing and names a token to pad with, as SmolLM2's does. */
async function copyWithoutBos(out: string): Promise<void> {
  await cp(llama, out, { recursive: true });
  const edit = async (file: string, change: (json: any) => void): Promise<void> => {
    const json = JSON.parse(await readFile(join(out, file), 'utf8'));
    change(json);
    await writeFile(join(out, file), JSON.stringify(json));
  };
  await edit('tokenizer.json', (json) => {
    json.post_processor = json.post_processor.processors.find(({ type }: { type: string }) => type === 'ByteLevel');
  });
  await edit('tokenizer_config.json', (json) => (json.pad_token = json.eos_token));
}
