import { Command } from 'commander';
import type { TrainDepth } from '../../train/job.ts';
import { runTrainJob } from '../../train/run.ts';
import { homeOf, modelOptions, reportOptions } from '../options.ts';
import { print, printJson } from '../output.ts';
import { ProgressLine } from '../progress.ts';
import { depthList, trainJob, trainOptions, type TrainOptions } from '../train-options.ts';
import { describeTrained, showTraining } from '../train-progress.ts';

interface TrainCommandOptions extends TrainOptions {
  readonly layers?: readonly TrainDepth[];
}

/** `l3prune train`: contrastive training of a cut model, which leaves a checkpoint. */
export function trainCommand(signal: AbortSignal): Command {
  return trainOptions(reportOptions(modelOptions(new Command('train').description('train the first layers of a model as a text encoder, resumable at any moment'))))
    .option('--layers <depths>', 'a count, a percentage to take off such as 50%, small, large or all, with commas between several (default: all)', depthList)
    .action(async ({ layers, ...options }: TrainCommandOptions) => {
      const { threads, engine, device, json } = options;
      const job = { ...trainJob(options), depths: layers };
      const result = await showTraining(runTrainJob(job, { home: homeOf(options), signal, threads, engine, device }), new ProgressLine());
      if (json) await printJson(result);
      else await print(describeTrained(result));
    });
}
