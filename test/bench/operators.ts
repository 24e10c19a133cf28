import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EncoderOptions } from '../../src/encoder/encoder.ts';
import type { EncoderText } from '../../src/encoder/prompt.ts';
import { onnxEngine } from '../../src/engine/onnx/engine.ts';
import { share, type Measure } from './report.ts';
import { withEncoder, type Setup } from './setup.ts';

/** Smaller shares are one. */
const leastShare = 0.005;

/** An event of ONNX Runtime's profile; of a node that has run, how long it took in microseconds. */
interface ProfileEvent {
  readonly cat: string;
  readonly name: string;
  readonly ts: number;
  readonly dur: number;
  readonly args?: { readonly op_name?: string };
}

/** The share of the time that each operator of an encoder takes, in both precisions, as ONNX Runtime's own profile has it. */
export async function operatorShares(setup: Setup, options: EncoderOptions, texts: readonly EncoderText[]): Promise<Measure[]> {
  const measures: Measure[] = [];
  for (const precision of ['float32', 'int8'] as const) {
    const folder = await mkdtemp(join(setup.scratch, 'operators-'));
    const engine = onnxEngine({ threads: setup.threads, profile: join(folder, 'run') });
    await withEncoder({ engine, checkpoint: setup.checkpoint }, { ...options, precision }, async (encoder) => {
      // The second time counts.
      await encoder.encode(texts);
      await encoder.encode(texts);
    });
    measures.push(sharesOf(precision, await profileIn(folder)));
  }
  return measures;
}

async function profileIn(folder: string): Promise<ProfileEvent[]> {
  const [file] = await readdir(folder);
  return JSON.parse(await readFile(join(folder, file!), 'utf8')) as ProfileEvent[];
}

function sharesOf(precision: string, events: readonly ProfileEvent[]): Measure {
  const runs = events.filter(({ name }) => name === 'model_run').sort((a, b) => a.ts - b.ts);
  const counted = runs.slice(runs.length / 2);
  const seconds = counted.reduce((sum, { dur }) => sum + dur, 0) / 1e6;
  const byOperator = new Map<string, number>();
  for (const { cat, name, ts, dur, args } of events) {
    if (cat !== 'Node' || !name.endsWith('_kernel_time') || args?.op_name === undefined || ts < counted[0]!.ts) continue;
    byOperator.set(args.op_name, (byOperator.get(args.op_name) ?? 0) + dur / 1e6);
  }
  const sorted = [...byOperator].sort(([, a], [, b]) => b - a);
  const shown = sorted.filter(([, took]) => took >= leastShare * seconds);
  const named = shown.reduce((sum, [, took]) => sum + took, 0);
  return {
    what: `operators of an encoder in ${precision}, ONNX Runtime's profile: share of ${seconds.toFixed(2)} s`,
    ours: [...shown.map(([operator, took]) => `${operator} ${share(took / seconds)}`), `the rest ${share(1 - named / seconds)}`].join(', '),
    against: '–',
    ratio: '–',
    asked: 'measured',
  };
}
