/**
 * A run that is done elsewhere is held to the run that is done here: its files to what our trainer reads, and, where
 * Python has torch, peft, accelerate and sentence-transformers, its losses and its checkpoint to ours. Set PYTHON to an
 * interpreter that has them; they are gigabytes, too much for continuous integration.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Triplet } from '../../src/data/triplet.ts';
import { openTrainingData, type TrainingData } from '../../src/data/training.ts';
import { withAdapter } from '../../src/encoder/adapted.ts';
import { readAdapter } from '../../src/encoder/adapter.ts';
import { Encoder } from '../../src/encoder/encoder.ts';
import { jobFile, writeTrainingJob, type ExportedRun } from '../../src/export/training-job/write.ts';
import { openCheckpoint } from '../../src/models/checkpoint.ts';
import type { Checkpoint } from '../../src/models/types.ts';
import { readManifest } from '../../src/prune/manifest.ts';
import { initialState, trainedModel, trainSteps, type TrainedStep } from '../../src/train/loop.ts';
import type { StepMetrics } from '../../src/train/metrics.ts';
import { defaultTraining, loraOf, type TrainingSettings } from '../../src/train/settings.ts';
import { LLAMA } from '../models/folder.ts';
import { engine, readReference, tripletsOf, worstDifference } from '../reference.ts';

const settings: TrainingSettings = {
  ...defaultTraining,
  layers: 3,
  loraRank: 4,
  loraAlpha: 8,
  // Drawn by torch there and by our own generator here.
  dropout: 0,
  lr: 5e-3,
  warmup: 2,
  steps: 6,
  batchSize: 5,
  scale: 20,
  maxLength: 96,
};
const instruction = 'Find:';
const encoderSettings = { attention: settings.attention, pooling: settings.pooling, maxLength: settings.maxLength, separator: ' ', instruction };

/** Twelve rows; two share their positive, which is a false negative of the other, and one has two hard negatives. */
function makeRows(): Triplet[] {
  const rows: Triplet[] = tripletsOf(readReference('llama'));
  rows[1] = { ...rows[1]!, positive: rows[0]!.positive };
  rows[2] = { ...rows[2]!, negatives: [...rows[2]!.negatives, rows[5]!.positive] };
  rows[3] = { ...rows[3]!, negatives: [] };
  return rows;
}

let folder: string;
let checkpoint: Checkpoint;
let data: TrainingData;
let run: ExportedRun;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'l3prune-job-'));
  checkpoint = await openCheckpoint(LLAMA);
  const rows = makeRows().map(({ negatives, ...row }) => `${JSON.stringify({ ...row, negative: negatives })}\n`);
  // Its instruction fills all that is read: our trainer leaves it out of its batch.
  rows.push(`${JSON.stringify({ query: 'q', positive: 'p', instruction: 'word '.repeat(200) })}\n`);
  await writeFile(join(folder, 'rows.jsonl'), rows.join(''));
  const { batchSize, seed, order } = settings;
  data = await openTrainingData(join(folder, 'rows.jsonl'), { batchSize, seed, order });
  const model = { name: checkpoint.name, fingerprint: await checkpoint.fingerprint(), layers: checkpoint.config.numHiddenLayers };
  const counts = { fingerprint: data.fingerprint, rows: data.rows, rejected: 0, repeated: 0 };
  const description = { model, adapter: null, data: counts, depth: { kind: 'layers', layers: settings.layers } as const, settings, encoder: encoderSettings, curve: null };
  run = { checkpoint, data, description, start: undefined, saveEvery: 2, merge: true };
  await writeTrainingJob(join(folder, 'job'), run);
});
afterAll(async () => {
  await data.close();
  await rm(folder, { recursive: true, force: true });
});

describe('the folder of a training job', () => {
  test("has every step's rows in the order in which our trainer computes them", async () => {
    const rows = await readFile(join(folder, 'job/data/rows.jsonl'));
    const steps = (await readFile(join(folder, 'job/data/batches.jsonl'), 'utf8')).trim().split('\n');
    expect(steps).toHaveLength(settings.steps);
    let skipped = 0;
    for (const [step, line] of steps.entries()) {
      const batch = (JSON.parse(line) as number[]).map((offset) => JSON.parse(rows.toString('utf8', offset, rows.indexOf('\n', offset))) as Triplet);
      const all = await data.batch(step);
      const usable = all.filter(({ query }) => query !== 'q');
      expect(batch).toEqual(usable);
      skipped += all.length - usable.length;
    }
    expect(skipped).toBeGreaterThan(0);
    expect(await readFile(join(folder, 'job/README.md'), 'utf8')).toContain(`${skipped} rows of them have nothing to encode within 96 tokens`);
  });

  test('has each row once', async () => {
    const lines = (await readFile(join(folder, 'job/data/rows.jsonl'), 'utf8')).trim().split('\n');
    expect(new Set(lines).size).toBe(lines.length);
  });

  test('has the settings, the cut model as it is stored, and the adapter that our own run begins with', async () => {
    const job = JSON.parse(await readFile(join(folder, 'job', jobFile), 'utf8')) as object;
    expect(job).toMatchObject({ settings, saveEvery: 2, merge: true });
    const base = await openCheckpoint(join(folder, 'job/base'));
    expect(base.config.numHiddenLayers).toBe(3);
    expect([...base.tensors.values()].every(({ type }) => type === 'BF16')).toBe(true);
    const adapter = await readAdapter(join(folder, 'job/adapter'), base.config);
    expect(adapter.parameters).toEqual(initialState(trainedModel(checkpoint, settings), settings.seed).parameters);
  });

  test('is replaced only by force, and nothing else than a job ever is', async () => {
    await expect(writeTrainingJob(join(folder, 'job'), run)).rejects.toMatchObject({ code: 'EXISTS' });
    await cp(LLAMA, join(folder, 'other'), { recursive: true });
    await expect(writeTrainingJob(join(folder, 'other'), run, { force: true })).rejects.toMatchObject({ code: 'EXISTS' });
  });
});

const python = process.env.PYTHON ?? 'python3';
const missing = spawnSync(python, [
  '-c',
  'import importlib.util as u, sys; sys.exit(any(u.find_spec(m) is None for m in ("torch", "transformers", "sentence_transformers", "peft", "accelerate")))',
]).status;
if (missing !== 0) console.log(`Skipped: ${python} has no torch, sentence-transformers, peft and accelerate (set PYTHON to one that has).`);

// Each of them starts Python, and torch alone takes seconds to import.
describe.skipIf(missing !== 0)('a training job in Python', { timeout: 300_000 }, () => {
  let ours: TrainedStep[];
  beforeAll(async () => {
    ours = [];
    for await (const step of trainSteps(engine, checkpoint, (step) => data.batch(step), settings, { runTokens: 1e6 })) ours.push(step);
    await train(2, 'two');
  });

  test('has the losses, gradients and rates of our own run, with the batch shared by two processes', async () => {
    const theirs = await metricsOf('two');
    expect(theirs.map(({ step, tokens }) => [step, tokens])).toEqual(ours.map(({ metrics: { step, tokens } }) => [step, tokens]));
    const worst = (of: (metrics: StepMetrics) => number): number => Math.max(...theirs.map((line, i) => Math.abs(of(line) - of(ours[i]!.metrics)) / (of(line) || 1)));
    console.log(`Largest relative difference over ${settings.steps} steps: loss ${worst(({ loss }) => loss).toExponential(1)}, gradient norm ${worst(({ gradNorm }) => gradNorm).toExponential(1)}.`);
    expect(worst(({ loss }) => loss)).toBeLessThan(1e-4);
    expect(worst(({ gradNorm }) => gradNorm)).toBeLessThan(1e-3);
    expect(worst(({ lr }) => lr)).toBeLessThan(1e-12);
  });

  test('leaves a checkpoint of ours, with what our own training would have learned', async () => {
    const out = join(folder, 'two');
    const trained = await openCheckpoint(out);
    expect(trained.config.numHiddenLayers).toBe(3);
    const manifest = (await readManifest(out))!;
    expect(manifest).toMatchObject({ layers: 3, encoder: encoderSettings, adapter: { merged: true }, calibration: null });
    const losses = (await metricsOf('two')).map(({ loss }) => loss);
    expect(manifest.history).toMatchObject([{ step: 'train', training: { settings, steps: 6, step: 6, curve: losses.map((loss, i) => [i + 1, loss]) } }]);
    const { parameters } = ours.at(-1)!.state;
    const kept = withAdapter(checkpoint, { lora: loraOf(settings), parameters });
    const difference = worstDifference(await embed(trained), await embed(kept), checkpoint.config.hiddenSize);
    console.log(`Largest relative difference of an embedding: ${difference.toExponential(1)}.`);
    expect(difference).toBeLessThan(2e-3);
  });

  test('leaves a folder that sentence-transformers opens with our embeddings', async () => {
    const out = join(folder, 'two');
    const vectors = await embed(await openCheckpoint(out));
    const size = checkpoint.config.hiddenSize;
    const expected = texts.map((text, i) => ({ text: text.text, query: 'instruction' in text, embedding: [...vectors.subarray(i * size, (i + 1) * size)] }));
    const script = join(import.meta.dirname, '../python/check_checkpoint.py');
    const { stdout, stderr } = spawnSync(python, [script], { input: JSON.stringify({ folder: out, trust: true, hidden: [], texts: expected }), encoding: 'utf8', env: environment() });
    expect(stdout, stderr.slice(-2000)).toContain('embeddings');
    expect((JSON.parse(stdout.split('\n').findLast((line) => line.startsWith('{'))!) as { embeddings: number }).embeddings).toBeLessThan(1e-4);
  });

  test('goes on after it was killed, on another number of processes and by gradient caching, with the same numbers', async () => {
    const interrupted = launch(1, 'killed', '--micro-batch', '3');
    for await (const line of createInterface(interrupted.stdout)) {
      // The launcher and what it has started.
      if (line.startsWith('step 3 ')) process.kill(-interrupted.pid!, 'SIGKILL');
    }
    await train(1, 'killed', '--resume', '--micro-batch', '3');
    const [killed, whole] = [await metricsOf('killed'), await metricsOf('two')];
    expect(killed.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    for (const [i, { loss }] of killed.entries()) expect(Math.abs(loss - whole[i]!.loss)).toBeLessThan(1e-4 * loss);
  });

  test('does not write over a checkpoint that is there', async () => {
    const refused = launch(1, 'two');
    let said = '';
    for await (const chunk of refused.stderr) said += String(chunk);
    expect(said).toContain('holds a checkpoint already: name another folder with --out.');
  });

  /** Runs the job to its end. */
  async function train(processes: number, out: string, ...args: string[]): Promise<void> {
    const child = launch(processes, out, ...args);
    let said = '';
    child.stdout.on('data', (chunk) => (said += String(chunk)));
    child.stderr.on('data', (chunk) => (said += String(chunk)));
    const [code] = (await once(child, 'close')) as [number];
    expect(code, said.slice(-4000)).toBe(0);
  }

  function launch(processes: number, out: string, ...args: string[]) {
    // Without a GPU, accelerate starts several processes on one machine by the launcher of several GPUs.
    const several = processes === 1 ? [] : ['--multi_gpu', '--main_process_port', '0'];
    const launcher = ['-m', 'accelerate.commands.launch', ...several, '--num_processes', String(processes), '--num_machines', '1', '--mixed_precision', 'no', '--dynamo_backend', 'no'];
    const child = spawn(python, [...launcher, join(folder, 'job/train.py'), '--out', join(folder, out), ...args], { env: environment(), detached: true });
    child.stdin.end();
    return child;
  }

  async function metricsOf(out: string): Promise<StepMetrics[]> {
    return (await readFile(join(folder, out, 'metrics.jsonl'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as StepMetrics);
  }
});

const texts = [{ text: 'how is an item found', instruction, separator: ' ' }, { text: 'def find(items, key): return items[key]' }];

async function embed(checkpoint: Checkpoint): Promise<Float32Array> {
  const { attention, pooling, maxLength } = encoderSettings;
  const encoder = await Encoder.open(engine, checkpoint, { attention, pooling, maxLength, layers: settings.layers, output: 'last' });
  const vectors = await encoder.encode(texts.map((text) => encoder.prepare(text)));
  await encoder.dispose();
  return vectors;
}

function environment(): NodeJS.ProcessEnv {
  return {
    ...process.env,
    PATH: `${dirname(python)}:${process.env.PATH}`,
    ACCELERATE_USE_CPU: 'true',
    OMP_NUM_THREADS: '1',
    HF_HUB_OFFLINE: '1',
    HF_MODULES_CACHE: join(folder, 'modules'),
    PYTHONDONTWRITEBYTECODE: '1',
  };
}
