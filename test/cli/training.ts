import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StepMetrics } from '../../src/train/metrics.ts';
import { LLAMA, type Cli } from './harness.ts';

/** A training of the fixture model that takes seconds; later options stand over these. */
export const shortTraining = ['--layers', '2', '--lora-rank', '2', '--lora-alpha', '4', '--batch-size', '4', '--max-length', '96', '--threads', '1', '--steps', '6', '--lr', '1e-3', '--calibrate', 'none'];

/** The arguments of such a training on `data.jsonl`, which the test has to write, into `out`; another --data is added to it. */
export function training(...more: string[]): string[] {
  return ['train', '--model', LLAMA, '--data', 'data.jsonl', '--out', 'out', ...shortTraining, ...more];
}

/** What decides whether two runs had the same numbers: every step but for its time. */
export async function stepsOf(folder: string): Promise<Omit<StepMetrics, 'seconds'>[]> {
  const text = await readFile(join(folder, 'metrics.jsonl'), 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const { seconds: _, ...rest } = JSON.parse(line) as StepMetrics;
      return rest;
    });
}

/** The bytes of what a training has made. */
export async function learnedIn(folder: string): Promise<{ weights: string; adapter: string }> {
  const read = async (...path: string[]): Promise<string> => (await readFile(join(folder, ...path))).toString('base64');
  return { weights: await read('model.safetensors'), adapter: await read('adapter', 'adapter_model.safetensors') };
}

/** Resolves when something that standard error said has this in it. */
export function said({ child }: ReturnType<Cli['start']>, what: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stderr.on('data', (part: Buffer) => {
      text += part.toString();
      if (text.includes(what)) resolve();
    });
    child.once('close', () => reject(new Error(`It ended without "${what}": ${text}`)));
  });
}
