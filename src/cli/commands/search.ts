import { Command, Option } from 'commander';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { errors } from '../../errors.ts';
import { reason } from '../../files.ts';
import { chunkKinds, type ChunkKind } from '../../index/chunks/types.ts';
import { searchModes, WorkspaceSearch, type SearchAnswer, type SearchMode } from '../../index/search/search.ts';
import { updateForSearch } from '../../index/update/for-search.ts';
import { encoderRequestOf, indexOptionsOf, rulesOptions, workspaceOptions, type RulesOptions, type WorkspaceOptions } from '../index-options.ts';
import { homeOf, reportOptions, wholeNumber, type ReportOptions } from '../options.ts';
import { print, printJson } from '../output.ts';
import { ProgressLine } from '../progress.ts';
import { describeAnswer } from '../search-report.ts';
import { show } from './index.ts';

interface SearchCommandOptions extends WorkspaceOptions, RulesOptions, ReportOptions {
  readonly limit: number;
  readonly mode: SearchMode;
  readonly language?: readonly string[];
  readonly path?: readonly string[];
  readonly kind?: readonly ChunkKind[];
  readonly similar?: string;
  readonly update: boolean;
}

/** A person has read less; a program may want more. */
const mostHits = 1000;
/** While a person waits, all cores are theirs. */
const defaultThreads = 2;

/** `l3prune search`: finds code of a workspace by what it does or how it is called. */
export function searchCommand(signal: AbortSignal): Command {
  return reportOptions(rulesOptions(workspaceOptions(new Command('search').description('find code of a workspace by what it does, or by words in it'), defaultThreads)))
    .argument('[query...]', 'what is sought: a question, names, a piece of code')
    .option('--limit <n>', 'results at most', wholeNumber(1, mostHits), 10)
    .addOption(new Option('--mode <mode>', 'by words, by meaning, or by both').choices(searchModes).default('hybrid'))
    .option('--language <names...>', 'only code of these languages')
    .option('--path <globs...>', 'only files that one of these matches, as src/**/*.ts')
    .addOption(new Option('--kind <kinds...>', 'only such parts').choices(chunkKinds))
    .option('--similar <place>', 'find what is like this code instead: FILE, FILE:LINE or FILE:FIRST-LAST')
    .option('--no-update', 'search the index as it is, without a look at what has changed')
    .action(async (words: readonly string[], options: SearchCommandOptions) => run(words.join(' '), options, signal));
}

async function run(words: string, options: SearchCommandOptions, signal: AbortSignal): Promise<void> {
  if (words.trim() !== '' && options.similar !== undefined) throw errors.usage('Give a query or --similar, not both.');
  if (words.trim() === '' && options.similar === undefined) throw errors.usage('The query is empty: write what you look for, or name code with --similar.');
  const query = options.similar === undefined ? words : await codeAt(options.similar, options.workspace);
  const line = new ProgressLine();
  const notes: string[] = [];
  try {
    if (options.update) {
      const updating = updateForSearch(options.workspace, indexOptionsOf(options, signal), encoderRequestOf(options));
      for await (const step of updating) {
        if (step.phase === 'notice') notes.push(step.notice);
        else show(step, line);
      }
    }
  } finally {
    line.end();
  }
  const { threads, device, engine, limit, mode, language, path, kind } = options;
  const search = await WorkspaceSearch.open(options.workspace, { home: homeOf(options), threads, device, engine, signal, patienceMilliseconds: Infinity });
  try {
    const answer = await search.search({ query, limit, mode, languages: language, paths: path, kinds: kind, isCode: options.similar !== undefined });
    const whole: SearchAnswer = { ...answer, notes: [...notes, ...answer.notes] };
    if (options.json) return await printJson(documentOf(whole));
    await print(describeAnswer(whole, { isColoured: process.stdout.isTTY && !process.env['NO_COLOR'] }));
  } finally {
    await search.close();
  }
}

/** The document of `--json`: a snippet is one text. */
export function documentOf({ hits, index, notes, milliseconds }: SearchAnswer): Record<string, unknown> {
  return { results: hits.map(({ snippet, ...hit }) => ({ ...hit, snippet: snippet.lines.join('\n'), snippetLine: snippet.startLine, matchedLines: snippet.matchedLines })), index, notes, milliseconds };
}

/** The lines of a file that a place names, from here or from the workspace, as answers name it. Errors: USAGE, NOT_FOUND. */
async function codeAt(place: string, workspace: string): Promise<string> {
  const [, file, first, last] = /^(.*?)(?::(\d+)(?:-(\d+))?)?$/s.exec(place) as unknown as [string, string, string | undefined, string | undefined];
  const text = await readFile(file, 'utf8').catch(async (error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return readFile(resolve(workspace, file), 'utf8');
    throw error;
  }).catch((error: unknown) => {
    throw errors.notFound(`${file} cannot be read: ${reason(error)}.`, error);
  });
  const lines = first === undefined ? text : text.split(/\r\n|\n|\r/).slice(Number(first) - 1, Number(last ?? first)).join('\n');
  if (lines.trim() === '') throw errors.usage(`${place} holds no code: name lines that do.`);
  return lines;
}
