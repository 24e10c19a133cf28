import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defaultSettings } from '../../src/prune/checkpoint-settings.ts';
import type { LossCurve } from '../../src/prune/curve.ts';
import { pruneCheckpoint } from '../../src/prune/prune.ts';
import { runCommandLine } from './child.ts';
import { megabytes, median, times, type Measure } from './report.ts';
import type { Setup } from './setup.ts';

/** Peak memory of profiling the model in a fresh process with default settings, two batches. */
export async function profileMemory({ checkpoint, triplets, threads, scratch }: Setup): Promise<Measure> {
  const data = join(scratch, 'triplets.jsonl');
  const rows = triplets.map(({ negatives, ...row }) => `${JSON.stringify({ ...row, negative: negatives })}\n`);
  await writeFile(data, rows.join(''));
  const args = ['--model', checkpoint.directory, '--data', data, '--batches', '2', '--threads', String(threads), '--json'];
  const run = await runCommandLine(['profile', ...args]);
  const curve = JSON.parse(run.stdout) as LossCurve;
  let elements = 0;
  for (const { shape } of checkpoint.tensors.values()) elements += shape.reduce((a, b) => a * b, 1);
  const float32 = 4 * elements;
  const limit = 1.25 * float32 + 600e6;
  return {
    what: `profile, 2 batches of ${curve.settings.batchSize}, up to ${curve.settings.maxLength} tokens: largest RssAnon`,
    ours: `${megabytes(run.peakAnonymousBytes)} (VmHWM ${megabytes(run.peakResidentBytes)})`,
    against: `${megabytes(float32)} of float32 weights`,
    ratio: `${times(run.peakAnonymousBytes / limit)} of what is allowed`,
    asked: `≤ ${megabytes(limit)} (1.25 × weights + 600 MB)`,
  };
}

const starts = 7;

/** A fresh process, from its start to the first embedding, with the model cut to 8 layers. */
export async function firstEmbedding({ checkpoint, threads, scratch }: Setup): Promise<Measure> {
  const layers = Math.min(8, checkpoint.config.numHiddenLayers);
  const out = join(scratch, 'cut');
  const encoder = await defaultSettings(checkpoint);
  await pruneCheckpoint(checkpoint, { depth: { kind: 'layers', layers }, out, encoder, curve: null });
  const seconds: number[] = [];
  for (let i = 0; i < starts; i++) {
    const run = await runCommandLine(['embed', '--model', out, '--threads', String(threads)], 'how is a file read line by line?\n');
    seconds.push(run.firstOutputSeconds);
  }
  return {
    what: `checkpoint to first embedding, ${layers} layers: seconds, median of ${starts} fresh processes`,
    ours: median(seconds).toFixed(2),
    against: `best ${Math.min(...seconds).toFixed(2)}, worst ${Math.max(...seconds).toFixed(2)}`,
    ratio: `${times(median(seconds) / 1.5)} of what is allowed`,
    asked: '< 1.5 s',
  };
}
