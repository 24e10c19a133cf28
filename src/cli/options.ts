import { InvalidArgumentError, Option, type Command } from 'commander';
import { attentions, poolings, type Attention, type Pooling } from '../encoder/settings.ts';
import { devices, type Device } from '../engine/open.ts';
import { engineChoices, type EngineChoice } from '../engine/select.ts';
import { given } from '../given.ts';
import { dataHome } from '../home.ts';
import type { CheckpointEncoderSettings } from '../prune/manifest.ts';

/** What every subcommand takes that reports something. */
export interface ReportOptions {
  readonly json?: true;
}

/** What every subcommand takes that uses the data home. */
export interface HomeOptions {
  readonly home?: string;
}

/** What every subcommand that runs a model takes; settings left out are the checkpoint's own, or the defaults. */
export interface ModelOptions extends ReportOptions, HomeOptions {
  readonly device: Device;
  readonly engine: EngineChoice;
  readonly threads?: number;
  readonly maxLength?: number;
  readonly attention?: Attention;
  readonly pooling?: Pooling;
  readonly separator?: string;
}

export function reportOptions(command: Command, what = 'print one JSON document on standard output, progress on standard error'): Command {
  return command.option('--json', what);
}

export function homeOptions(command: Command): Command {
  return command.option('--home <dir>', "where models, checkpoints and caches are kept (default: L3PRUNE_HOME, or the system's user-data folder)", named);
}

export function modelOptions(command: Command): Command {
  return homeOptions(command)
    .addOption(new Option('--device <device>', 'what computes: webgpu is a GPU that ONNX Runtime reaches').choices(devices).default('auto'))
    .addOption(new Option('--engine <engine>', 'the engine; auto takes the faster of those that are there').choices(engineChoices).default('auto'))
    .option('--threads <n>', 'threads of a matrix product', wholeNumber(1, 1024))
    .option('--max-length <tokens>', 'cut texts on the right to so many tokens', wholeNumber(1, 1 << 24))
    .addOption(new Option('--attention <kind>', 'which tokens a token sees').choices(attentions))
    .addOption(new Option('--pooling <kind>', "how a text's token vectors become one").choices(poolings))
    .option('--separator <text>', 'what stands between instruction and text');
}

/** Settings that were given, over those of the checkpoint. */
export function withOptions(settings: CheckpointEncoderSettings, options: ModelOptions): CheckpointEncoderSettings {
  const { maxLength, attention, pooling, separator } = options;
  return { ...settings, ...given({ maxLength, attention, pooling, separator }) };
}

export function homeOf(options: HomeOptions): string {
  return dataHome(options.home);
}

/** A parser of whole numbers within bounds. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^-?\d+$/.test(text.trim()) || value < least || value > most)
      throw new InvalidArgumentError(`It has to be a whole number from ${least} to ${most}.`);
    return value;
  };
}

/** A parser of numbers as people write them; what uses the number knows its bounds. */
export function decimal(text: string): number {
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text.trim())) throw new InvalidArgumentError('It has to be a number.');
  return Number(text);
}

/** Far beyond it float32 has no number for the product of scale and cosine. */
const mostScale = 1e6;

/** A parser of the loss's scale. */
export function lossScale(text: string): number {
  const value = decimal(text);
  if (value > 0 && value <= mostScale) return value;
  throw new InvalidArgumentError(`It has to be a number above 0 and at most ${mostScale}.`);
}

/** A parser of paths and names, which an unset variable of a shell leaves empty: that would mean the current folder. */
export function named(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('It is empty.');
  return text;
}
