import { setTimeout } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { formatCount, formatDuration } from '../../format.ts';
import { locateIndex } from '../../index/location.ts';
import { defaultFileRules, isNeverIndexed } from '../../index/files/defaults.ts';
import { surveyWorkspace } from '../../index/files/survey.ts';
import { WorkspaceIndex, type IndexProgress, type IndexResult } from '../../index/update/update.ts';
import { watchWorkspace } from '../../index/watch.ts';
import { CancelledError, L3PruneError, throwIfCancelled } from '../../errors.ts';
import { encoderRequestOf, indexOptionsOf, rulesOf, rulesOptions, workspaceOptions, type RulesOptions, type WorkspaceOptions } from '../index-options.ts';
import { describeSurvey, reasonsLine } from '../index-report.ts';
import { homeOf, reportOptions, type ReportOptions } from '../options.ts';
import { print, printJson } from '../output.ts';
import { ProgressLine } from '../progress.ts';

interface IndexCommandOptions extends WorkspaceOptions, RulesOptions, ReportOptions {
  readonly dryRun?: true;
  readonly watch?: true;
  readonly untilInputEnds?: true;
  readonly regardless?: true;
}

/** One core is the user's: an index in the background leaves it alone. */
const defaultThreads = 1;
/** How often one that waits for its turn asks. */
const turnMilliseconds = 2000;

/** `l3prune index`: brings the index of a workspace up to date, and keeps it so. */
export function indexCommand(signal: AbortSignal): Command {
  return reportOptions(rulesOptions(workspaceOptions(new Command('index').description("index a workspace's code, so that it can be searched by words and by meaning"), defaultThreads)))
    .option('--dry-run', 'show what would be indexed, and why the rest would not')
    .option('--watch', 'go on and keep the index up to date until Ctrl-C')
    .addOption(new Option('--until-input-ends', 'end with standard input, as where another program has started this one').hideHelp())
    .option('--regardless', 'embed also while a training runs, or on battery')
    .action(async (options: IndexCommandOptions) => (options.dryRun ? dryRun(options, signal) : run(options, signal)));
}

async function dryRun(options: IndexCommandOptions, signal: AbortSignal): Promise<void> {
  const line = new ProgressLine();
  const { root } = await locateIndex(homeOf(options), options.workspace);
  const survey = await surveyWorkspace(root, { ...defaultFileRules, ...rulesOf(options) }, { signal, onProgress: ({ files }) => line.show('looking at files', files, undefined, `${files} files`) });
  line.end();
  if (options.json) return printJson({ workspace: root, ...survey });
  await print(describeSurvey(survey));
}

async function run(options: IndexCommandOptions, interrupt: AbortSignal): Promise<void> {
  const line = new ProgressLine();
  const signal = options.untilInputEnds ? AbortSignal.any([interrupt, inputEnd()]) : interrupt;
  const index = await openIndex(options, signal);
  try {
    const watching = options.watch ? watchWorkspace(index.location.root, { isLeftOut: isNeverIndexed, signal }) : undefined;
    const began = performance.now();
    await report(await bringUpToDate(index, line, encoderRequestOf(options)), began, options);
    for await (const { paths, notice } of watching ?? []) {
      if (notice !== undefined) process.stderr.write(`${notice}\n`);
      const again = performance.now();
      await report(await bringUpToDate(index, line, undefined, paths), again, options);
    }
  } catch (error) {
    // Who watches ends by Ctrl-C.
    if (!(options.watch && error instanceof CancelledError)) throw error;
  } finally {
    line.end();
    await index.close();
  }
}

/** Who watches waits for its turn: another window may have the index until it is closed. */
async function openIndex(options: IndexCommandOptions, signal: AbortSignal): Promise<WorkspaceIndex> {
  const open = (): Promise<WorkspaceIndex> => WorkspaceIndex.open(options.workspace, indexOptionsOf(options, signal, options.regardless));
  for (let isFirst = true; ; isFirst = false) {
    try {
      return await open();
    } catch (error) {
      if (!options.watch || !(error instanceof L3PruneError) || error.code !== 'BUSY') throw error;
      if (isFirst) process.stderr.write(`${error.message} This one waits for its turn.\n`);
    }
    await setTimeout(turnMilliseconds, undefined, { signal }).catch(() => throwIfCancelled(signal));
  }
}

function inputEnd(): AbortSignal {
  const ended = new AbortController();
  process.stdin.once('close', () => ended.abort()).once('end', () => ended.abort()).resume();
  return ended.signal;
}

async function bringUpToDate(index: WorkspaceIndex, line: ProgressLine, ...of: Parameters<WorkspaceIndex['update']>): Promise<IndexResult> {
  const running = index.update(...of);
  for (;;) {
    const step = await running.next();
    if (step.done) {
      line.end();
      return step.value;
    }
    show(step.value, line);
  }
}

/** Shows a step on the line. */
export function show(progress: IndexProgress, line: ProgressLine): void {
  switch (progress.phase) {
    case 'texts': {
      const { seen, indexed } = progress.texts;
      return line.show('reading files', seen, undefined, `${seen} files, ${indexed} new or changed`);
    }
    case 'encoder':
      return line.show(progress.what, progress.doneBytes, progress.totalBytes);
    case 'vectors': {
      const { done, total, tokensPerSecond, secondsLeft, paused } = progress.vectors;
      const speed = paused === undefined ? `${Math.round(tokensPerSecond)} tokens/s` : `waiting: ${paused}`;
      const left = secondsLeft === undefined || paused !== undefined ? '' : `, ${formatDuration(secondsLeft)} left`;
      return line.show('embedding', done, total, `${done} of ${total} chunks, ${speed}${left}`);
    }
    case 'notice':
      line.end();
      process.stderr.write(`${progress.notice}\n`);
  }
}

async function report({ texts, vectors }: IndexResult, began: number, { json, workspace }: IndexCommandOptions): Promise<void> {
  const seconds = (performance.now() - began) / 1000;
  if (json) return printJson({ workspace, ...texts, ...(vectors && { vectors: { ...vectors, encoder: vectors.encoder.source } }), seconds });
  const { unchanged, indexed, removed, chunks, excluded } = texts;
  const lines = [`${indexed + unchanged} files: ${indexed} new or changed with ${chunks} chunks, ${unchanged} unchanged, ${removed} removed.`];
  if (Object.keys(excluded).length > 0) lines.push(reasonsLine(excluded));
  if (vectors === undefined) lines.push('Searched by words alone: --model M adds an encoder.');
  else if (vectors.embedded === 0) lines.push(`Nothing to embed: every chunk has its vector of ${vectors.encoder.source.name}.`);
  else lines.push(`${formatCount(vectors.embedded)} texts embedded by ${vectors.encoder.source.name}, ${vectors.encoder.source.layers} layers: ${Math.round(vectors.tokens / vectors.seconds)} tokens/s.`);
  if (vectors !== undefined && vectors.skipped > 0) lines.push(`${vectors.skipped} texts changed meanwhile and wait for the next time.`);
  lines.push(`${seconds.toFixed(1)} s.`);
  await print(`${lines.join('\n')}\n`);
}
