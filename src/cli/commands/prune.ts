import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { calibrationKinds, type Calibration, type CalibrationKind } from '../../encoder/calibration.ts';
import { formatBytes } from '../../format.ts';
import { errors } from '../../errors.ts';
import { checkFolderTarget } from '../../files.ts';
import { defaultSettings } from '../../prune/checkpoint-settings.ts';
import type { LossCurve } from '../../prune/curve.ts';
import { loadTriplets } from '../../prune/inputs.ts';
import type { Depth } from '../../prune/job.ts';
import { manifestFile, readCurve } from '../../prune/manifest.ts';
import { calibrateAt, type CalibrationProgress } from '../../prune/measure-calibration.ts';
import { measurementsFor } from '../../prune/measurements.ts';
import { profile } from '../../prune/profile.ts';
import { layersToKeep, pruneCheckpoint } from '../../prune/prune.ts';
import { openNamedModel } from '../model.ts';
import { decimal, modelOptions, named, reportOptions, withOptions, wholeNumber } from '../options.ts';
import { print, printJson } from '../output.ts';
import { describeCurve, plotCurve } from '../plot.ts';
import { checkProfileOptions, profileOptions, profileRequest, type ProfileOptions } from '../profile-options.ts';
import { ProgressLine, showSteps } from '../progress.ts';
import { describeRejected } from '../sentences.ts';
import { showProfile } from './profile.ts';

/** What is left after more has been taken off is nobody's meaning. */
const mostComponents = 64;

interface PruneCommandOptions extends ProfileOptions {
  readonly model: string;
  readonly out: string;
  readonly percent?: number;
  readonly small?: true;
  readonly large?: true;
  readonly curve?: string;
  readonly data?: string;
  readonly instruction?: string;
  readonly calibrate?: CalibrationKind | 'none';
  readonly components?: number;
  readonly force?: true;
}

/** `l3prune prune`: the model cut after its first layers, as a checkpoint folder. */
export function pruneCommand(signal: AbortSignal): Command {
  return profileOptions(reportOptions(modelOptions(new Command('prune').description('cut a model after its first layers and write it as a checkpoint'))))
    .requiredOption('--model <model>', 'folder, .gguf or .safetensors file, hub id, or smollm2-135m-q4_1', named)
    .requiredOption('--out <dir>', 'the folder to write', named)
    .option('--layers <n>', 'keep so many layers', wholeNumber(1, 100_000))
    .option('--percent <p>', 'take so many percent of the layers off', decimal)
    .option('--small', "cut at the loss curve's early minimum")
    .option('--large', "cut at the loss curve's late minimum")
    .option('--curve <file>', 'a curve that `profile --json` printed', named)
    .option('--data <data>', 'triplets to measure the calibration on, and the curve where --small or --large is given without one', named)
    .option('--instruction <text>', 'what stands before every query of this encoder')
    .addOption(
      new Option('--calibrate <kind>', 'take the mean off every vector, as measured on the data: one mean, one of queries and one of documents, or none (default: mean)').choices([
        ...calibrationKinds,
        'none',
      ]),
    )
    .option('--components <n>', 'take so many leading principal components off as well (default: 1 with one mean, else 0)', wholeNumber(0, mostComponents))
    .option('--force', 'replace a checkpoint that is already there')
    .action(async (options: PruneCommandOptions) => run(options, signal));
}

async function run(options: PruneCommandOptions, signal: AbortSignal): Promise<void> {
  // What can be refused is refused before a model is fetched and minutes are spent on a curve.
  const depth = depthOf(options);
  checkProfileOptions(options);
  const wanted = measurementsFor({ ...options, depth, hasCurve: options.curve !== undefined, hasData: options.data !== undefined });
  await checkFolderTarget(options.out, { force: options.force, marker: manifestFile });
  let curve: LossCurve | null = options.curve === undefined ? null : await readCurve(options.curve);
  const line = new ProgressLine();
  const { checkpoint, how, engine } = await openNamedModel(options.model, options, line, signal);
  process.stderr.write(`${how}\n`);

  if (depth.kind === 'layers' || depth.kind === 'percent') layersToKeep(depth, checkpoint.config.numHiddenLayers, null);
  const { instruction: own, ...settings } = withOptions(await defaultSettings(checkpoint), options);
  const instruction = options.instruction ?? own;
  const encoder = instruction ? { ...settings, instruction } : settings;
  let calibration: Calibration | undefined;
  if (options.data !== undefined) {
    const { layers: _, ...profiling } = options;
    const request = await profileRequest(profiling, checkpoint);
    const data = await loadTriplets(options.data, request, signal);
    process.stderr.write(describeRejected(data.rejected));
    if (wanted.curve) {
      curve = await showProfile(profile(engine, checkpoint, data, request, { signal }), line);
      process.stderr.write(`${plotCurve(curve)}${describeCurve(curve)}`);
    }
    const layers = layersToKeep(depth, checkpoint.config.numHiddenLayers, curve);
    const measured = { ...encoder, maxLength: Math.min(encoder.maxLength, request.maxLength) };
    if (wanted.calibration !== undefined)
      calibration = await showCalibration(calibrateAt(engine, checkpoint, layers, data.triplets, wanted.calibration, measured, signal), line);
  }
  const summary = await pruneCheckpoint(checkpoint, {
    depth,
    out: options.out,
    encoder,
    curve,
    calibration,
    force: options.force,
    signal,
    onProgress: (done, total) => line.show('writing', done, total, `${formatBytes(done)} of ${formatBytes(total)}`),
  });
  line.end();
  if (options.json) await printJson(summary);
  else
    await print(
      `${resolve(options.out)}: ${summary.layersKept} of ${checkpoint.config.numHiddenLayers} layers, ${(summary.parameters / 1e6).toFixed(1)} million parameters, ${formatBytes(summary.bytes)}\n` +
        `cut from ${checkpoint.name}, fingerprint ${await checkpoint.fingerprint()}\n`,
    );
}

/** Measures a calibration to its end with its progress on the line. */
export function showCalibration(running: AsyncGenerator<CalibrationProgress, Calibration>, line: ProgressLine): Promise<Calibration> {
  return showSteps(running, line, ({ textsDone, texts }) => line.show('calibrating', textsDone, texts));
}

function depthOf({ layers, percent, small, large }: PruneCommandOptions): Depth {
  const asked: Depth[] = [
    ...(layers === undefined ? [] : [{ kind: 'layers', layers } as const]),
    ...(percent === undefined ? [] : [{ kind: 'percent', percent } as const]),
    ...(small ? [{ kind: 'small' } as const] : []),
    ...(large ? [{ kind: 'large' } as const] : []),
  ];
  const [depth, another] = asked;
  if (depth === undefined || another !== undefined) throw errors.usage('Say how deep to cut with one of --layers, --percent, --small and --large.');
  return depth;
}
