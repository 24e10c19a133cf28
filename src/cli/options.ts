import { Option, type Command } from 'commander';
import { attentions, poolings, type Attention, type Pooling } from '../encoder/settings.ts';
import { errors } from '../errors.ts';
import { dataHome } from '../home.ts';
import type { CheckpointEncoderSettings } from '../prune/manifest.ts';

/** What every subcommand takes. */
export interface CommonOptions {
  readonly json?: true;
  readonly home?: string;
}

/** What every subcommand that runs a model takes; settings left out are the checkpoint's own, or the defaults. */
export interface ModelOptions extends CommonOptions {
  readonly device: 'auto' | 'cpu';
  readonly engine: 'auto' | 'onnx';
  readonly threads?: number;
  readonly maxLength?: number;
  readonly attention?: Attention;
  readonly pooling?: Pooling;
  readonly separator?: string;
}

export function commonOptions(command: Command): Command {
  return command
    .option('--json', 'print one JSON document on standard output, progress on standard error')
    .option('--home <dir>', "where models, checkpoints and caches are kept (default: L3PRUNE_HOME, or the system's user-data folder)");
}

export function modelOptions(command: Command): Command {
  return commonOptions(command)
    .addOption(new Option('--device <device>', 'what computes').choices(['auto', 'cpu']).default('auto'))
    .addOption(new Option('--engine <engine>', 'the inference engine').choices(['auto', 'onnx']).default('auto'))
    .option('--threads <n>', 'threads of a matrix product', wholeNumber(1, 1024))
    .option('--max-length <tokens>', 'cut texts on the right to so many tokens', wholeNumber(1, 1 << 24))
    .addOption(new Option('--attention <kind>', 'which tokens a token sees').choices(attentions))
    .addOption(new Option('--pooling <kind>', "how a text's token vectors become one").choices(poolings))
    .option('--separator <text>', 'what stands between instruction and text');
}

/** Settings that were given, over those of the checkpoint. */
export function withOptions(settings: CheckpointEncoderSettings, options: ModelOptions): CheckpointEncoderSettings {
  const { maxLength, attention, pooling, separator } = options;
  return {
    ...settings,
    ...(maxLength === undefined ? {} : { maxLength }),
    ...(attention === undefined ? {} : { attention }),
    ...(pooling === undefined ? {} : { pooling }),
    ...(separator === undefined ? {} : { separator }),
  };
}

export function homeOf(options: CommonOptions): string {
  return dataHome(options.home);
}

/** A parser of whole numbers within bounds. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^-?\d+$/.test(text.trim()) || value < least || value > most)
      throw errors.usage(`"${text}" is not a whole number from ${least} to ${most}.`);
    return value;
  };
}

/** A parser of positive numbers. */
export function positiveNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value <= 0) throw errors.usage(`"${text}" is not a number above 0.`);
  return value;
}
