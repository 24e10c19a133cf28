import { Command, Option } from 'commander';
import { exportTrainingJob, type ExportedJob } from '../../export/training-job/job.ts';
import type { TrainDepth } from '../../train/job.ts';
import { homeOf, modelOptions, reportOptions } from '../options.ts';
import { print, printJson } from '../output.ts';
import { ProgressLine } from '../progress.ts';
import { depthList, trainJob, trainOptions, type TrainOptions } from '../train-options.ts';
import { showTraining } from '../train-progress.ts';

interface ExportOptions extends TrainOptions {
  readonly layers?: readonly TrainDepth[];
}

/** `l3prune export`: what other programs go on with. */
export function exportCommand(signal: AbortSignal): Command {
  const command = new Command('export').description('write a training as a folder for sentence-transformers and peft on accelerate: several GPUs, several nodes');
  return trainOptions(reportOptions(modelOptions(command)), 'the folder to write')
    .addOption(new Option('--format <format>', 'what to write: the run that `train` would do, for another machine').choices(['training-job']).makeOptionMandatory())
    .option('--layers <depth>', 'a count, a percentage to take off such as 50%, small, large or all (default: all)', depthList)
    .action(async ({ layers, ...options }: ExportOptions) => {
      const { threads, engine, device, json } = options;
      const job = { ...trainJob(options), depths: layers };
      const exported = await showTraining(exportTrainingJob(job, { home: homeOf(options), signal, threads, engine, device }), new ProgressLine());
      if (json) await printJson(exported);
      else await print(describe(exported));
    });
}

function describe({ path, layersKept, layersOfBase, model, steps, batchSize, rows, skipped }: ExportedJob): string {
  const left = skipped === 0 ? '' : `, ${skipped} times a row that has nothing to encode left out`;
  return `${path}: ${steps} steps of ${batchSize} rows (${rows} different ones${left}), ${layersKept} of ${layersOfBase} layers of ${model}\naccelerate launch ${path}/train.py runs it; README.md says the rest\n`;
}
