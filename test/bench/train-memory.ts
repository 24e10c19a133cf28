import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { prepareText } from '../../src/encoder/prompt.ts';
import { runCommandLine } from './child.ts';
import { megabytes, times, type Measure } from './report.ts';
import { settings, type Setup } from './setup.ts';
import { trainedModel, training } from './train-setup.ts';

/** Rows a step, and steps: a large batch takes minutes, and holds no more in its second step than in its first. */
const shapes = [
  { rows: 64, steps: 2 },
  { rows: 1024, steps: 1 },
] as const;
const mostBytes = 2.5e9;
const mostGrowth = 1.2;

/** Peak memory of `l3prune train` in a fresh process, a hard negative a row and every text of full length. */
export async function trainingMemory(setup: Setup): Promise<Measure[]> {
  const { layers } = trainedModel(setup);
  const data = join(setup.scratch, 'full-length.jsonl');
  await writeFile(data, fullRows(setup, Math.max(...shapes.map(({ rows }) => rows))));
  const peaks: number[] = [];
  const measures: Measure[] = [];
  for (const { rows, steps } of shapes) {
    const run = { '--model': setup.checkpoint.directory, '--data': data, '--out': join(setup.scratch, `trained-${rows}`), '--threads': setup.threads };
    const model = { '--layers': layers, '--lora-rank': training.rank, '--max-length': settings.maxLength, '--engine': 'onnx' };
    const options = { ...run, ...model, '--batch-size': rows, '--steps': steps, '--warmup': 0, '--calibrate': 'none' };
    const { peakAnonymousBytes: peak, peakResidentBytes } = await runCommandLine(['train', ...Object.entries(options).flat().map(String), '--json']);
    peaks.push(peak);
    const isFirst = peaks.length === 1;
    const limit = isFirst ? mostBytes : mostGrowth * peaks[0]!;
    measures.push({
      what: `training, ${layers} layers, batch ${rows} × 3 texts of ${settings.maxLength} tokens: largest RssAnon, 20 times a second`,
      ours: `${megabytes(peak)} (VmHWM ${megabytes(peakResidentBytes)})`,
      against: isFirst ? '–' : `${megabytes(peaks[0]!)} of batch ${shapes[0].rows}`,
      ratio: `${times(peak / limit)} of what is allowed`,
      asked: isFirst ? `< ${megabytes(mostBytes)}` : `≤ ${times(mostGrowth)}`,
    });
  }
  return measures;
}

/** So many rows whose texts are longer than what is read of them. */
function fullRows({ checkpoint, triplets }: Setup, count: number): string {
  const once = triplets.map(({ positive }) => positive).join('\n');
  const everything = once + once;
  let at = 0;
  const text = (): string => {
    for (let characters = 8 * settings.maxLength; ; characters *= 2) {
      const piece = everything.slice(at, at + characters);
      if (prepareText(checkpoint.tokenizer, { text: piece }, settings.maxLength).ids.length < settings.maxLength) continue;
      at = (at + characters) % once.length;
      return piece;
    }
  };
  return Array.from({ length: count }, () => `${JSON.stringify({ query: text(), positive: text(), negative: text() })}\n`).join('');
}
