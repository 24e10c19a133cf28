import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { errors } from '../../errors.ts';
import type { TrainDepth } from '../../train/job.ts';
import { runSweep, sweepFiles } from '../../train/sweep.ts';
import { homeOf, modelOptions, reportOptions } from '../options.ts';
import { print, printJson } from '../output.ts';
import { ProgressLine, showSteps } from '../progress.ts';
import { describeSweep } from '../sweep-report.ts';
import { depthList, trainJob, trainOptions, type TrainOptions } from '../train-options.ts';
import { showTrainProgress } from '../train-progress.ts';

interface SweepCommandOptions extends TrainOptions {
  readonly layers?: readonly TrainDepth[];
  readonly percent?: readonly TrainDepth[];
  readonly keep?: true;
}

/** Shares of the layers that are taken off where nothing is said, as in the paper's figure. */
const defaultPercents = '0,10,20,30,40,50,60,70,80,90';

const defaultSweepSteps = 100;

/** `l3prune sweep`: the same short training at each depth, and what it brings and costs. */
export function sweepCommand(signal: AbortSignal): Command {
  return trainOptions(reportOptions(modelOptions(new Command('sweep').description('train at several depths alike and show quality, time and memory against depth'))))
    .option('--percent <shares>', `percentages of the layers to take off, with commas between (default: ${defaultPercents})`, percentList)
    .addOption(new Option('--layers <depths>', 'the same as counts of layers, percentages to take off such as 50% and all').argParser(depthList).conflicts('percent'))
    .option('--keep', 'keep the checkpoints, each in a folder of its own')
    .action(async ({ layers, percent, keep, ...options }: SweepCommandOptions) => {
      const { evaluation, force, ...job } = trainJob(options);
      if (evaluation === undefined) throw errors.usage('A sweep measures every depth: give --eval.');
      if (force) throw errors.usage('A sweep replaces nothing: name a folder that does not exist yet, or go on by --resume.');
      const { threads, engine, device, json, steps } = options;
      // Where it is not asked for more often, a depth is measured before and after.
      const measured = { ...evaluation, every: evaluation.every ?? steps ?? defaultSweepSteps };
      const settings = { ...job.settings, steps: steps ?? defaultSweepSteps };
      const depths = layers ?? percent ?? percentList(defaultPercents);
      const line = new ProgressLine();
      const running = runSweep({ ...job, settings, evaluation: measured, depths, keep, calibrate: job.calibrate ?? 'none' }, { home: homeOf(options), signal, threads, engine, device });
      const sweep = await showSteps(running, line, (progress) => {
        if (progress.kind !== 'row') return showTrainProgress(progress, line);
        line.end();
        process.stderr.write(`${progress.row.layers} ${progress.row.layers === 1 ? 'layer is' : 'layers are'} measured, ${progress.done} of ${progress.total} depths\n`);
      });
      const { asked: _, ...document } = sweep;
      if (json) return printJson(document);
      await print(`${describeSweep(sweep)}${join(resolve(options.out), sweepFiles.svg)} has the picture, ${sweepFiles.json} beside it the numbers\n`);
    });
}

/** A parser of percentages: "0,30,80", where 0 is the whole model. */
function percentList(text: string): TrainDepth[] {
  return text.split(',').map((part): TrainDepth => {
    const percent = part.trim() === '' ? NaN : Number(part);
    if (!(percent >= 0 && percent < 100)) throw new InvalidArgumentError('It has to be percentages from 0 to below 100, with commas between.');
    return percent === 0 ? { kind: 'all' } : { kind: 'percent', percent };
  });
}
