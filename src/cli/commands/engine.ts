import { Argument, Command } from 'commander';
import { installTensorFlow, removeTensorFlow } from '../../engine/install/install.ts';
import { listEngines, type EngineStatus } from '../../engine/list.ts';
import { tensorflowFolder } from '../../engine/tensorflow/location.ts';
import { formatBytes } from '../../format.ts';
import { homeOf, homeOptions, reportOptions, type HomeOptions, type ReportOptions } from '../options.ts';
import { print, printJson, table } from '../output.ts';
import { ProgressLine, showBytes } from '../progress.ts';

interface EngineCommandOptions extends ReportOptions, HomeOptions {}

interface InstallCommandOptions extends EngineCommandOptions {
  readonly gpu?: true;
  readonly force?: true;
}

/** `l3prune engine`: the engines that compute, and the one that can be added. */
export function engineCommand(signal: AbortSignal): Command {
  const command = (name: string, description: string): Command => reportOptions(homeOptions(new Command(name).description(description)));
  return new Command('engine')
    .description('list the engines that compute, and install or remove TensorFlow')
    .addCommand(
      command('install', 'install TensorFlow into the data home; on Linux x64 it takes pip, npm and g++')
        .addArgument(engineArgument('<engine>'))
        .option('--gpu', 'the variant that computes on the GPUs of NVIDIA, with their libraries')
        .option('--force', 'install anew what is there and works')
        .action(async (_: string, options: InstallCommandOptions) => install(options, signal)),
    )
    .addCommand(command('list', 'list the engines that are there, and whether they work').action(async (options: EngineCommandOptions) => list(options, signal)))
    .addCommand(
      command('remove', 'remove TensorFlow from the data home')
        .addArgument(engineArgument('[engine]').default('tensorflow'))
        .action(async (_: string, options: EngineCommandOptions) => remove(options)),
    );
}

function engineArgument(name: '<engine>' | '[engine]'): Argument {
  return new Argument(name, 'the engine').choices(['tensorflow']);
}

async function install({ gpu, force, json, ...options }: InstallCommandOptions, signal: AbortSignal): Promise<void> {
  const home = homeOf(options);
  const line = new ProgressLine();
  try {
    const manifest = await installTensorFlow({
      home,
      variant: gpu ? 'gpu' : 'cpu',
      force,
      signal,
      onProgress: (progress) => showBytes(line, progress),
    });
    line.end();
    const directory = tensorflowFolder(home);
    if (json) await printJson({ name: 'tensorflow', directory, ...manifest });
    else await print(`TensorFlow ${manifest.tensorflowVersion} works: ${formatBytes(manifest.bytes)} in ${directory}\n`);
  } finally {
    line.end();
  }
}

async function list({ json, ...options }: EngineCommandOptions, signal: AbortSignal): Promise<void> {
  const engines = await listEngines(homeOf(options), signal);
  if (json) return printJson({ engines });
  const header = ['engine', 'version', 'size', 'works'];
  await print(table([header, ...engines.map(row)]));
  const problems = engines.filter(({ problem }) => problem !== undefined).map(({ name, problem }) => `${name}: ${problem}\n`);
  await print(problems.join(''));
}

function row({ name, version, bytes, problem }: EngineStatus): string[] {
  return [name, version, bytes === undefined ? '' : formatBytes(bytes), problem === undefined ? 'yes' : 'no'];
}

async function remove({ json, ...options }: EngineCommandOptions): Promise<void> {
  const directory = tensorflowFolder(homeOf(options));
  await removeTensorFlow(homeOf(options));
  if (json) await printJson({ removed: directory });
  else await print(`removed ${directory}\n`);
}
