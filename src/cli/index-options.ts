import { Option, type Command } from 'commander';
import { precisions } from '../train/settings.ts';
import type { FileRules } from '../index/files/types.ts';
import type { IndexOptions } from '../index/update/update.ts';
import { devices, type Device } from '../engine/open.ts';
import { engineChoices, type EngineChoice } from '../engine/select.ts';
import { given } from '../given.ts';
import { homeOf, homeOptions, named, wholeNumber, type HomeOptions } from './options.ts';

/** Which files are indexed: kept with the index until another command says otherwise. */
export interface RulesOptions {
  /** False where an earlier one is to count no longer. */
  readonly include?: readonly string[] | false;
  readonly exclude?: readonly string[] | false;
  readonly gitignore?: boolean;
  readonly mostBytes?: number;
}

/** What commands take that open a workspace's index and its encoder. */
export interface WorkspaceOptions extends HomeOptions {
  readonly workspace: string;
  readonly model?: string;
  readonly layers?: number;
  readonly maxLength?: number;
  readonly precision?: 'float32' | 'int8';
  readonly threads: number;
  readonly device: Device;
  readonly engine: EngineChoice;
}

export function rulesOptions(command: Command): Command {
  return command
    .option('--include <globs...>', 'index only files that one of these matches; kept until it is said anew')
    .option('--no-include', 'index all files again, and not only those of an earlier --include')
    .option('--exclude <globs...>', 'leave these files out; kept until it is said anew')
    .option('--no-exclude', 'leave out no more what an earlier --exclude named')
    .option('--gitignore', 'leave out what git ignores (the default)')
    .option('--no-gitignore', 'index what git ignores, too; kept until --gitignore')
    .option('--most-bytes <n>', 'leave out larger files', wholeNumber(1, 1 << 30));
}

export function workspaceOptions(command: Command, threads: number): Command {
  return homeOptions(command)
    .option('--workspace <dir>', 'the folder that is searched', named, '.')
    .option('--model <model>', 'the encoder: a folder, .gguf or .safetensors file, hub id, or smollm2-135m-q4_1 (default: the one that the workspace has)', named)
    .option('--layers <n>', 'use the first n layers of the model', wholeNumber(1, 100_000))
    .option('--max-length <tokens>', 'tokens of a text that are read (default: 256)', wholeNumber(1, 1 << 24))
    .addOption(new Option('--precision <numbers>', 'what the weights are multiplied in (default: int8 on a CPU)').choices([...precisions]))
    .option('--threads <n>', 'threads of a matrix product', wholeNumber(1, 1024), threads)
    .addOption(new Option('--device <device>', 'what computes: webgpu is a GPU that ONNX Runtime reaches').choices(devices).default('auto'))
    .addOption(new Option('--engine <engine>', 'the engine').choices(engineChoices).default('auto'));
}

export function rulesOf({ include, exclude, gitignore, mostBytes }: RulesOptions): Partial<FileRules> {
  return given({ include: include === false ? [] : include, exclude: exclude === false ? [] : exclude, gitignore, mostBytes });
}

/** What an index is opened with. */
export function indexOptionsOf(options: WorkspaceOptions & RulesOptions, signal: AbortSignal, regardless = false): IndexOptions {
  const { threads, device, engine } = options;
  return { home: homeOf(options), threads, device, engine, signal, rules: rulesOf(options), regardless };
}
