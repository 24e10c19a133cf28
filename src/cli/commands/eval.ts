import { Command } from 'commander';
import { Encoder } from '../../encoder/encoder.ts';
import { readCorpus } from '../../eval/corpus.ts';
import { Baseline, evaluateEncoder, type SystemScore } from '../../eval/evaluate.ts';
import { readCalibration } from '../../prune/calibration.ts';
import { defaultSettings } from '../../prune/checkpoint-settings.ts';
import { readManifest } from '../../prune/manifest.ts';
import { openNamedModel } from '../model.ts';
import { modelOptions, named, reportOptions, withOptions, wholeNumber, type ModelOptions } from '../options.ts';
import { print, printJson, table } from '../output.ts';
import { ProgressLine, showSteps } from '../progress.ts';
import { describeRejected } from '../sentences.ts';

interface EvalOptions extends ModelOptions {
  readonly model: string[];
  readonly data: string;
  readonly base?: string;
  readonly layer?: number;
  readonly seed: number;
}

/** `l3prune eval`: how well encoders find what is asked for, beside BM25. */
export function evalCommand(signal: AbortSignal): Command {
  return reportOptions(modelOptions(new Command('eval').description('measure MRR@10, nDCG@10 and recall of encoders on a corpus with queries, beside BM25')))
    .requiredOption('--model <models...>', 'folders, .gguf or .safetensors files, hub ids, or smollm2-135m-q4_1')
    .requiredOption('--data <dir>', 'a folder with corpus.jsonl(.gz) and queries.jsonl(.gz)', named)
    .option('--base <model>', 'the model that a checkpoint was cut from, measured at the same depth beside it', named)
    .option('--layer <n>', 'use the first n layers of every model', wholeNumber(1, 100_000))
    .option('--seed <seed>', 'of the bootstrap', wholeNumber(0, Number.MAX_SAFE_INTEGER), 42)
    .action(async (options: EvalOptions) => run(options, signal));
}

async function run(options: EvalOptions, signal: AbortSignal): Promise<void> {
  const line = new ProgressLine();
  const corpus = await readCorpus(options.data, signal);
  process.stderr.write(describeRejected(corpus.rejected));
  const baseline = new Baseline(corpus);
  const systems: SystemScore[] = [baseline.score()];
  const models: { name: string; fingerprint: string; layers: number }[] = [];
  const evaluated = new Set<string>();

  const evaluate = async (spec: string, layers: number | undefined): Promise<number> => {
    const { checkpoint, engine } = await openNamedModel(spec, options, line, signal);
    const settings = withOptions(await defaultSettings(checkpoint), options);
    const manifest = await readManifest(checkpoint.directory);
    const depth = layers ?? checkpoint.config.numHiddenLayers;
    const fingerprint = await checkpoint.fingerprint();
    const key = `${fingerprint} ${depth}`;
    if (evaluated.has(key)) return depth;
    evaluated.add(key);
    const encoder = await Encoder.open(engine, checkpoint, { ...settings, layers, output: 'last' });
    const name = `${checkpoint.name}, ${depth} layers`;
    // The calibration belongs to the depth the checkpoint was cut at.
    const whole = depth === checkpoint.config.numHiddenLayers;
    const calibration = whole ? await readCalibration(checkpoint, manifest) : undefined;
    const running = evaluateEncoder(baseline, { name, encoder, settings, calibration }, options.seed, signal);
    systems.push(...(await showSteps(running, line, ({ textsDone, texts }) => line.show(`encoding with ${name}`, textsDone, texts))));
    models.push({ name: checkpoint.name, fingerprint, layers: depth });
    await encoder.dispose();
    if (manifest !== undefined && options.base === undefined)
      process.stderr.write(
        `${name} has only been cut: its base ${manifest.base.name} at the same depth is the same weights. --base measures it all the same.\n`,
      );
    return depth;
  };
  for (const spec of options.model) {
    const depth = await evaluate(spec, options.layer);
    if (options.base !== undefined) await evaluate(options.base, depth);
  }

  const data = { documents: corpus.documents.length, queries: corpus.queries.length, rejected: corpus.rejected.length, fingerprint: corpus.fingerprint };
  if (options.json) return printJson({ systems, models, data });
  const share = (x: number): string => x.toFixed(3);
  const rows = systems.map(({ system, metrics: m, againstBm25 }) => [
    system,
    ...[m.mrrAt10, m.ndcgAt10, m.recallAt1, m.recallAt10, m.recallAt100].map(share),
    againstBm25 === undefined ? '' : `${signed(againstBm25.mean)} (${signed(againstBm25.low)} to ${signed(againstBm25.high)})`,
  ]);
  await print(
    table([['', 'MRR@10', 'nDCG@10', 'recall@1', '@10', '@100', 'MRR against BM25 (95 %)'], ...rows]) +
      `queries: ${data.queries}, documents: ${data.documents}, data ${data.fingerprint.slice(0, 16)}\n` +
      models.map(({ name, fingerprint }) => `model ${name}, fingerprint ${fingerprint}\n`).join(''),
  );
}

function signed(x: number): string {
  return `${x < 0 ? '−' : '+'}${Math.abs(x).toFixed(3)}`;
}
