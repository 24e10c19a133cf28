import { Command, Option } from 'commander';
import { Encoder } from '../../encoder/encoder.ts';
import { averages, Scoreboard } from '../../eval/scoreboard.ts';
import type { SystemScore } from '../../eval/system.ts';
import { taskKinds } from '../../eval/tasks/kinds.ts';
import { readTasks } from '../../eval/tasks/read.ts';
import type { TaskKind } from '../../eval/tasks/task.ts';
import { evaluateWorkspace, readWorkspaceQueries } from '../../eval/workspace.ts';
import { errors } from '../../errors.ts';
import { given } from '../../given.ts';
import { readCalibration } from '../../prune/calibration.ts';
import { defaultSettings } from '../../prune/checkpoint-settings.ts';
import { readManifest, type Manifest } from '../../prune/manifest.ts';
import { describeBoards, describeWorkspace, documentOf, type EvaluatedModel } from '../eval-report.ts';
import { openNamedModel } from '../model.ts';
import { homeOf, modelOptions, named, reportOptions, withOptions, wholeNumber, type ModelOptions } from '../options.ts';
import { print, printJson } from '../output.ts';
import { ProgressLine, showBytes, showSteps } from '../progress.ts';
import { describeRejected } from '../sentences.ts';

interface EvalOptions extends ModelOptions {
  readonly model: string[];
  readonly data?: string;
  readonly workspace?: string;
  readonly queries?: string;
  readonly task?: TaskKind;
  readonly instruction?: string;
  readonly base?: string;
  readonly layers?: number;
  readonly seed: number;
}

/** `l3prune eval`: how well encoders do what is asked of them, beside BM25 and the model they were cut from. */
export function evalCommand(signal: AbortSignal): Command {
  return reportOptions(modelOptions(new Command('eval').description('measure encoders: code search beside BM25, and the tasks of MTEB on local files')))
    .requiredOption('--model <models...>', 'folders, .gguf or .safetensors files, hub ids, or smollm2-135m-q4_1')
    .option('--data <path>', 'a task (corpus.jsonl and queries.jsonl, the layout of BEIR, or test.jsonl as MTEB has it), or a folder of such folders', named)
    .option('--workspace <dir>', 'measure the search of this folder instead, by words, by meaning and by both', named)
    .option('--queries <file>', 'with --workspace: questions with the lines that answer them', named)
    .addOption(new Option('--task <kind>', 'what kind of task the data is (default: by its fields)').choices(taskKinds))
    .option('--instruction <text>', "what stands before queries and sentences, empty for nothing (default: the task's, or the checkpoint's own)")
    .option('--base <model>', 'the model that a checkpoint was cut from, measured at the same depth beside it', named)
    .option('--layers <n>', 'use the first n layers of every model', wholeNumber(1, 100_000))
    .option('--seed <seed>', 'of the bootstrap, of drawn training texts and of clustering', wholeNumber(0, 2 ** 32 - 1), 42)
    .action(async (options: EvalOptions) => {
      const { data, workspace, queries } = options;
      if (workspace !== undefined && queries !== undefined && data === undefined) return runWorkspace({ ...options, workspace, queries }, signal);
      if (data !== undefined && workspace === undefined && queries === undefined) return run({ ...options, data }, signal);
      throw errors.usage('Name what is measured on: --data, or --workspace with --queries.');
    });
}

/** Measures the search of a workspace; `--base` is one model more, at the depth of the first. */
async function runWorkspace(options: EvalOptions & { readonly workspace: string; readonly queries: string }, signal: AbortSignal): Promise<void> {
  const line = new ProgressLine();
  const { workspace, seed, model, base, layers, maxLength, threads, device, engine } = options;
  const queries = await readWorkspaceQueries(options.queries);
  const requests = [...model, ...(base === undefined ? [] : [base])].map((name) => ({ model: name, ...given({ layers, maxLength }) }));
  const running = evaluateWorkspace(workspace, queries, { home: homeOf(options), threads, device, engine, signal, seed, models: requests, onProgress: (progress) => showBytes(line, progress) });
  const evaluation = await showSteps(running, line, ({ what, done, total }) => line.show(what, done, total));
  if (options.json) return printJson({ workspace, ...evaluation, systems: evaluation.systems.map(({ model, mode, metrics, overWords }) => ({ model, mode, metrics, overWords })) });
  await print(describeWorkspace(evaluation));
}

async function run(options: EvalOptions & { readonly data: string }, signal: AbortSignal): Promise<void> {
  const line = new ProgressLine();
  const { data, seed, task: kind, instruction } = options;
  const reading = readTasks(data, { kind, instruction, seed, signal });
  const tasks = await showSteps(reading, line, ({ what, done, total }) => line.show(what, done, total));
  process.stderr.write(describeRejected(tasks.flatMap(({ rejected }) => rejected)));
  const boards = tasks.map((task) => new Scoreboard(task, seed));
  const models: EvaluatedModel[] = [];
  const scored = new Map<string, ReadonlyArray<readonly SystemScore[]>>(); // By model and depth, the tasks' in order.

  const names = new Set<string>();
  const nameOf = (model: string, depth: number, spec: string): string => {
    const layered = `${model}, ${depth} ${depth === 1 ? 'layer' : 'layers'}`;
    const name = names.has(layered) ? `${layered} (${spec})` : layered;
    names.add(name);
    return name;
  };
  const evaluate = async (spec: string, layers: number | undefined): Promise<{ readonly depth: number; readonly scores: ReadonlyArray<readonly SystemScore[]> }> => {
    const { checkpoint, engine } = await openNamedModel(spec, options, line, signal);
    const settings = withOptions(await defaultSettings(checkpoint), options);
    const manifest = await readManifest(checkpoint.directory);
    const depth = layers ?? checkpoint.config.numHiddenLayers;
    const fingerprint = await checkpoint.fingerprint();
    const key = `${fingerprint} ${depth}`;
    const before = scored.get(key);
    if (before !== undefined) return { depth, scores: before };
    const encoder = await Encoder.open(engine, checkpoint, { ...settings, layers, output: 'last' });
    const name = nameOf(checkpoint.name, depth, spec);
    const calibration = await readCalibration(checkpoint, manifest, { ...settings, layers: depth });
    const scores: Array<readonly SystemScore[]> = [];
    for (const board of boards) {
      const running = board.add({ name, encoder, settings, calibration }, signal);
      const where = boards.length === 1 ? '' : `${board.task.name}: `;
      scores.push(await showSteps(running, line, ({ what, done, total }) => line.show(`${where}${what}`, done, total)));
    }
    scored.set(key, scores);
    models.push({ name: checkpoint.name, fingerprint, layers: depth });
    await encoder.dispose();
    if (options.base === undefined) process.stderr.write(whyNoBase(name, manifest));
    return { depth, scores };
  };
  for (const spec of options.model) {
    const { depth, scores } = await evaluate(spec, options.layers);
    if (options.base === undefined) continue;
    const base = await evaluate(options.base, depth);
    for (const [i, board] of boards.entries()) board.compareWithBase(scores[i]!, base.scores[i]!);
  }
  if (options.json) return printJson(documentOf(boards, averages(boards), models));
  await print(describeBoards(boards, averages(boards), models));
}

/** What the base model would show of a checkpoint that it was not measured beside. */
function whyNoBase(name: string, manifest: Manifest | undefined): string {
  if (manifest === undefined) return '';
  const cutOnly = manifest.history.every(({ step }) => step === 'prune');
  return cutOnly
    ? `${name} has only been cut: its base ${manifest.base.name} at the same depth is the same weights. --base measures it all the same.\n`
    : `${name} has been trained: --base ${manifest.base.name} measures what that has brought.\n`;
}
