import { existsSync } from 'node:fs';
import type { Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { counted, formatCount, formatDuration } from '../../format.ts';
import type { IndexEncoderRequest } from '../../index/encoder.ts';
import { encoderRequest } from '../../index/encoder-request.ts';
import { locateIndex, type IndexLocation } from '../../index/location.ts';
import { defaultFileRules, isNeverIndexed } from '../../index/files/defaults.ts';
import { surveyWorkspace } from '../../index/files/survey.ts';
import type { FileRules } from '../../index/files/types.ts';
import { IndexReader } from '../../index/store/reader.ts';
import { WorkspaceIndex, type IndexProgress, type IndexResult } from '../../index/update/update.ts';
import { WorkspaceWatch, type WorkspaceChange } from '../../index/watch.ts';
import { CancelledError, describeError, L3PruneError, throwIfCancelled } from '../../errors.ts';
import { indexOptionsOf, rulesOf, rulesOptions, workspaceOptions, type RulesOptions, type WorkspaceOptions } from '../index-options.ts';
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
  const location = await locateIndex(homeOf(options), options.workspace);
  const rules = { ...defaultFileRules, ...keptRules(location), ...rulesOf(options) };
  const survey = await surveyWorkspace(location.root, rules, { signal, onProgress: ({ files }) => line.show('looking at files', files, undefined, counted(files, 'file')) });
  line.end();
  if (options.json) return printJson({ workspace: location.root, ...survey });
  await print(describeSurvey(survey));
}

/** What was asked for before, where there is an index that says so. */
function keptRules({ database }: IndexLocation): Partial<FileRules> {
  try {
    const reader = IndexReader.open(database);
    try {
      return reader.rules();
    } finally {
      reader.close();
    }
  } catch (error) {
    if (error instanceof L3PruneError && (error.code === 'NOT_FOUND' || error.code === 'BAD_INDEX')) return {};
    throw error;
  }
}

async function run(options: IndexCommandOptions, interrupt: AbortSignal): Promise<void> {
  const line = new ProgressLine();
  const signal = options.untilInputEnds ? AbortSignal.any([interrupt, inputEnd()]) : interrupt;
  const request = encoderRequest(options);
  let index: WorkspaceIndex | undefined;
  let watch: WorkspaceWatch | undefined;
  try {
    index = await openIndex(options, signal);
    if (options.watch) watch = new WorkspaceWatch(index.location.root, { isLeftOut: isNeverIndexed, signal });
    const indexing: Indexing = { index, watch, line, options, signal };
    await bringUpToDate(indexing, undefined, request);
    for await (const change of watch?.changes() ?? []) await bringUpToDate(indexing, change);
  } catch (error) {
    // Who watches ends by Ctrl-C.
    if (!(options.watch && error instanceof CancelledError)) throw error;
  } finally {
    line.end();
    await watch?.close();
    await index?.close();
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
  // Work that is at its end does not wait for it.
  (process.stdin as Partial<Socket>).unref?.();
  return ended.signal;
}

interface Indexing {
  readonly index: WorkspaceIndex;
  readonly watch: WorkspaceWatch | undefined;
  readonly line: ProgressLine;
  readonly options: IndexCommandOptions;
  readonly signal: AbortSignal;
}

/** Does what a change asks for and tells of it; of the first look, at everything, and of what it was asked for. */
async function bringUpToDate(indexing: Indexing, change: WorkspaceChange | undefined, request?: IndexEncoderRequest): Promise<void> {
  const { index, line, options } = indexing;
  if (change?.notice !== undefined) show({ phase: 'notice', notice: change.notice }, line);
  const began = performance.now();
  try {
    const result = await steps(index.update(request, change?.paths), indexing);
    const isNews = change === undefined || result.texts.indexed + result.texts.removed + (result.vectors?.embedded ?? 0) > 0;
    if (isNews || options.json) await report(result, began, index, options);
  } catch (error) {
    line.end();
    if (request !== undefined || !canGoOn(error, indexing)) throw error;
    const { code, message } = describeError(error);
    process.stderr.write(`${message} [${code}]\n`);
  }
}

/** Shows the steps of an update. What changes while it fetches a model or embeds is found by its words at once; the vectors follow with the rest. */
async function steps<R>(running: AsyncGenerator<IndexProgress, R>, indexing: Indexing): Promise<R> {
  const { index, watch, line } = indexing;
  for (;;) {
    const step = await running.next();
    if (step.done) {
      line.end();
      return step.value;
    }
    show(step.value, line);
    const change = step.value.phase === 'encoder' || step.value.phase === 'vectors' ? watch?.take() : undefined;
    if (change?.notice !== undefined) show({ phase: 'notice', notice: change.notice }, line);
    if (change !== undefined) await steps(index.updateTexts(change.paths), indexing);
  }
}

/** Whether one that watches has a next time after a failure: a disk may have room again, and a model be back where it was. */
function canGoOn(error: unknown, { index, options, signal }: Indexing): boolean {
  if (!options.watch || signal.aborted || !(error instanceof L3PruneError)) return false;
  return error.code !== 'CANCELLED' && error.code !== 'BUSY' && existsSync(index.location.root);
}

/** Shows a step on the line. */
export function show(progress: IndexProgress, line: ProgressLine): void {
  switch (progress.phase) {
    case 'texts': {
      const { seen, indexed } = progress.texts;
      return line.show('reading files', seen, undefined, `${counted(seen, 'file')}, ${indexed} new or changed`);
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

async function report({ texts, vectors }: IndexResult, began: number, { location }: WorkspaceIndex, { json }: IndexCommandOptions): Promise<void> {
  const seconds = (performance.now() - began) / 1000;
  if (json) return printJson({ workspace: location.root, ...texts, ...(vectors && { vectors: { ...vectors, encoder: vectors.encoder.source } }), seconds });
  const { unchanged, indexed, removed, chunks, fallbacks, excluded } = texts;
  const lines = [`${counted(indexed + unchanged, 'file')}: ${indexed} new or changed with ${counted(chunks, 'chunk')}, ${unchanged} unchanged, ${removed} removed.`];
  if (fallbacks > 0) lines.push(`${fallbacks} of them cut at blank lines, because their language's parser gave up on them.`);
  if (Object.keys(excluded).length > 0) lines.push(reasonsLine(excluded));
  if (vectors === undefined) lines.push('Searched by words alone: --model M adds an encoder.');
  else if (vectors.embedded === 0) lines.push(`Nothing to embed: every chunk has its vector of ${vectors.encoder.source.name}.`);
  else lines.push(`${formatCount(vectors.embedded)} texts embedded by ${vectors.encoder.source.name}, ${vectors.encoder.source.layers} layers: ${Math.round(vectors.tokens / vectors.seconds)} tokens/s.`);
  if (vectors !== undefined && vectors.skipped > 0) lines.push(`${vectors.skipped} texts changed meanwhile and wait for the next time.`);
  lines.push(`${seconds.toFixed(1)} s.`);
  await print(`${lines.join('\n')}\n`);
}
