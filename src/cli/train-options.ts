import { InvalidArgumentError, Option, type Command } from 'commander';
import { calibrationKinds, type CalibrationKind } from '../encoder/calibration.ts';
import { loraTargets, type LoraTarget } from '../encoder/lora.ts';
import { errors } from '../errors.ts';
import { given } from '../given.ts';
import type { TrainDepth, TrainJob } from '../train/job.ts';
import { defaultTraining, precisions, type TrainingSettings } from '../train/settings.ts';
import { decimal, lossScale, named, wholeNumber, type ModelOptions } from './options.ts';

/** What every subcommand takes that trains. */
export interface TrainOptions extends ModelOptions {
  readonly model: string;
  readonly data: readonly string[];
  readonly out: string;
  readonly adapter?: string;
  readonly loraRank?: number;
  readonly loraAlpha?: number;
  readonly dropout?: number;
  readonly targets?: readonly LoraTarget[];
  readonly lr?: number;
  readonly warmup?: number;
  readonly steps?: number;
  readonly batchSize?: number;
  readonly hardNegatives?: number;
  readonly modelNegativesAfter?: number;
  readonly weightDecay?: number;
  readonly clip?: number;
  readonly scale?: number;
  readonly seed?: number;
  readonly order?: 'shuffled' | 'file';
  readonly instruction?: string;
  readonly microBatch?: number;
  readonly precision?: TrainingSettings['precision'];
  readonly baseBits?: number;
  readonly eval?: string;
  readonly evalEvery?: number;
  readonly earlyStop?: number;
  readonly saveEvery?: number;
  readonly calibrate?: CalibrationKind | 'none';
  readonly components?: number;
  readonly resume?: true;
  readonly force?: true;
  readonly merge: boolean;
}

const most = 2 ** 31 - 1;
/** What is left after more has been taken off is nobody's meaning. */
const mostComponents = 64;

/** What is trained on, how, and what becomes of it; `out` is what the folder is for. */
export function trainOptions(command: Command, out = 'the folder of the run, which becomes the checkpoint'): Command {
  const { loraRank, loraAlpha, dropout, lr, warmup, steps, batchSize, clip, scale, seed } = defaultTraining;
  return command
    .requiredOption('--model <model>', 'folder, .gguf or .safetensors file, hub id, or smollm2-135m-q4_1', named)
    .requiredOption('--data <data...>', 'rows to train on: .jsonl(.gz) files or folders of them, each file a data set')
    .requiredOption('--out <dir>', out, named)
    .option('--adapter <dir>', 'go on from an adapter in the format of PEFT', named)
    .option('--lora-rank <r>', `rank of the LoRA (default: ${loraRank})`, decimal)
    .option('--lora-alpha <alpha>', `the LoRA counts alpha / rank times (default: ${loraAlpha})`, decimal)
    .option('--dropout <share>', `share of its inputs that a step leaves out (default: ${dropout})`, decimal)
    .option('--targets <names>', `projections that get one, with commas between (default: all of ${loraTargets.join(',')})`, targetList)
    .option('--lr <rate>', `peak of the learning rate (default: ${lr})`, decimal)
    .option('--warmup <steps>', `steps over which it rises, before it falls to 0 (default: ${warmup}, at most 30 % of the steps)`, decimal)
    .option('--steps <n>', `steps in all (default: ${steps})`, decimal)
    .option('--batch-size <n>', `rows a step; memory does not depend on it (default: ${batchSize})`, decimal)
    .option('--hard-negatives <n>', 'take at most so many of a row (default: all)', decimal)
    .option('--model-negatives-after <step>', 'from this step on the model finds the hard negatives itself, among 1,024 rows at a time (default: never)', decimal)
    .option('--weight-decay <w>', 'decoupled weight decay (default: 0)', decimal)
    .option('--clip <norm>', `longest gradient (default: ${clip})`, decimal)
    .option('--scale <scale>', `scale of the cosine in the loss, 1 / temperature (default: ${scale})`, lossScale)
    .option('--seed <seed>', `of rows, adapter and dropout (default: ${seed})`, wholeNumber(0, Number.MAX_SAFE_INTEGER))
    .addOption(new Option('--order <order>', 'which rows make a batch (default: shuffled)').choices(['shuffled', 'file']))
    .option('--instruction <text>', 'what stands before every query of this encoder, in training where a row has none of its own')
    .option('--micro-batch <n>', 'texts of full length that go through the model at a time (default: as many as memory allows)', wholeNumber(1, most))
    .addOption(new Option('--precision <numbers>', 'what the frozen weights are multiplied in: whole numbers of 8 bits are faster on a CPU (default: float32)').choices([...precisions]))
    .option('--base-bits <bits>', 'hold the frozen weights in 8 or 4 bits while the LoRA is trained (default: as they are)', decimal)
    .option('--eval <data>', 'measure on this on the way: rows, or a folder with a corpus and queries', named)
    .option('--eval-every <n>', 'steps between two evaluations (default: a tenth of the steps)', wholeNumber(1, most))
    .option('--early-stop <n>', 'stop after so many evaluations without gain (default: never)', wholeNumber(1, most))
    .option('--save-every <n>', 'steps between two saves, beside one every two minutes (default: 200)', wholeNumber(1, most))
    .addOption(new Option('--calibrate <kind>', 'take the mean off every vector, as measured after the training (default: mean)').choices([...calibrationKinds, 'none']))
    .option('--components <n>', 'leading principal components that are taken off as well (default: 1 with one mean, else 0)', wholeNumber(0, mostComponents))
    .option('--resume', 'go on with the training in the folder, or begin one')
    .option('--force', 'begin again in a folder that holds a checkpoint or a training')
    .option('--no-merge', 'keep the adapter apart from the weights');
}

/** The job that the options ask for. Errors: USAGE. */
export function trainJob(options: TrainOptions): TrainJob {
  const { model, data, out, adapter, instruction, microBatch, eval: evalData, evalEvery: every, earlyStop, saveEvery, calibrate, components, resume, force, merge } = options;
  if (evalData === undefined && (every !== undefined || earlyStop !== undefined)) throw errors.usage('--eval-every and --early-stop need something to measure on: give --eval.');
  const { loraRank, loraAlpha, dropout, targets, lr, warmup, steps, batchSize, hardNegatives, modelNegativesAfter, weightDecay, clip, scale, seed, order, maxLength, attention, pooling, separator, precision, baseBits } = options;
  const asked = given({ loraRank, loraAlpha, dropout, lr, warmup, steps, batchSize, hardNegatives, modelNegativesAfter, weightDecay, clip, scale, seed, order, maxLength, attention, pooling, separator, precision, baseBits: baseBits as TrainingSettings['baseBits'] | undefined });
  return {
    model,
    data,
    out,
    adapter,
    instruction,
    microBatch,
    saveEvery,
    calibrate,
    components,
    resume,
    force,
    merge,
    settings: { ...asked, ...(targets === undefined ? {} : { targets: [...targets] }) },
    evaluation: evalData === undefined ? undefined : { data: evalData, every, earlyStop },
  };
}

/** A parser of depths: "8", "small,large", "4,8,12", "all", "50%" taken off. */
export function depthList(text: string): TrainDepth[] {
  return text.split(',').map((part) => depthOf(part.trim()));
}

function depthOf(text: string): TrainDepth {
  if (text === 'small' || text === 'large' || text === 'all') return { kind: text };
  if (/^\d+$/.test(text)) return { kind: 'layers', layers: Number(text) };
  const percent = /^-?(\d+(?:\.\d+)?)\s*%$/.exec(text);
  if (percent !== null) return { kind: 'percent', percent: Number(percent[1]) };
  throw new InvalidArgumentError('It has to be a count of layers, a percentage to take off such as 50%, small, large or all, with commas between several.');
}

function targetList(text: string): LoraTarget[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !(loraTargets as readonly string[]).includes(name));
  if (unknown !== undefined) throw new InvalidArgumentError(`${unknown === '' ? 'An empty name' : unknown} is none of ${loraTargets.join(', ')}.`);
  return loraTargets.filter((target) => names.includes(target));
}
