import { Command } from 'commander';
import { formatDuration } from '../../format.ts';
import type { LossCurve, ProfileProgress } from '../../prune/curve.ts';
import { loadTriplets } from '../../prune/inputs.ts';
import { profile } from '../../prune/profile.ts';
import { openNamedModel } from '../model.ts';
import { modelOptions, named, reportOptions, wholeNumber } from '../options.ts';
import { print, printJson } from '../output.ts';
import { describeCurve, plotCurve } from '../plot.ts';
import { ProgressLine, showSteps } from '../progress.ts';
import { checkProfileOptions, profileOptions, profileRequest, type ProfileOptions } from '../profile-options.ts';
import { describeRejected } from '../sentences.ts';

/** `l3prune profile`: the loss at every layer, and where to cut. */
export function profileCommand(signal: AbortSignal): Command {
  return profileOptions(reportOptions(modelOptions(new Command('profile').description('measure the contrastive loss at every layer and say where to cut'))))
    .requiredOption('--model <model>', 'folder, .gguf or .safetensors file, hub id, or smollm2-135m-q4_1', named)
    .requiredOption('--data <data>', 'triplets: a .jsonl(.gz) file or a folder of them', named)
    .option('--layers <n>', 'measure the first n layers, as if the model had no more', wholeNumber(1, 100_000))
    .action(async (options: ProfileOptions & { model: string; data: string }) => {
      checkProfileOptions(options);
      const line = new ProgressLine();
      const { checkpoint, how, engine } = await openNamedModel(options.model, options, line, signal);
      const request = await profileRequest(options, checkpoint);
      const data = await loadTriplets(options.data, request, signal);
      process.stderr.write(`${how}\n${describeRejected(data.rejected)}`);
      const curve = await showProfile(profile(engine, checkpoint, data, request, { signal }), line);
      if (options.json) await printJson(curve);
      else await print(`${plotCurve(curve)}${describeCurve(curve)}`);
    });
}

/** Runs a profile to its end with its progress on the line. */
export function showProfile(running: AsyncGenerator<ProfileProgress, LossCurve>, line: ProgressLine): Promise<LossCurve> {
  return showSteps(running, line, (progress) => showProfileProgress(progress, line));
}

export function showProfileProgress({ textsDone, texts, batchesDone, batches, secondsLeft }: ProfileProgress, line: ProgressLine): void {
  const left = secondsLeft === undefined ? '' : `, ${formatDuration(secondsLeft)} left`;
  line.show('profiling', textsDone, texts, `batch ${Math.min(batchesDone + 1, batches)} of ${batches}${left}`);
}
