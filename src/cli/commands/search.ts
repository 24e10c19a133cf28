import { existsSync } from 'node:fs';
import { readFile, realpath } from 'node:fs/promises';
import { relative, resolve, sep } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { errors } from '../../errors.ts';
import { reason } from '../../files.ts';
import { chunkKinds, type ChunkKind } from '../../index/chunks/types.ts';
import { askWorkspace } from '../../index/ask.ts';
import { encoderRequest } from '../../index/encoder-request.ts';
import { searchModes, type SearchAnswer, type SearchMode, type SearchRequest } from '../../index/search/search.ts';
import { indexOptionsOf, workspaceOptions, type WorkspaceOptions } from '../index-options.ts';
import { reportOptions, wholeNumber, type ReportOptions } from '../options.ts';
import { print, printJson } from '../output.ts';
import { ProgressLine, showSteps } from '../progress.ts';
import { describeAnswer } from '../search-report.ts';
import { show } from './index.ts';

interface SearchCommandOptions extends WorkspaceOptions, ReportOptions {
  readonly limit: number;
  readonly mode: SearchMode;
  readonly language?: readonly string[];
  readonly path?: readonly string[];
  readonly kind?: readonly ChunkKind[];
  readonly similar?: string;
  readonly group?: true;
  readonly update: boolean;
}

/** A person has read less; a program may want more. */
const mostHits = 1000;
/** While a person waits, all cores are theirs. */
const defaultThreads = 2;

/** `l3prune search`: finds code of a workspace by what it does or how it is called. */
export function searchCommand(signal: AbortSignal): Command {
  return reportOptions(workspaceOptions(new Command('search').description('find code of a workspace by what it does, or by words in it'), defaultThreads))
    .argument('[query...]', 'what is sought: a question, names, a piece of code')
    .option('--limit <n>', 'results at most', wholeNumber(1, mostHits), 10)
    .addOption(new Option('--mode <mode>', 'by words, by meaning, or by both').choices(searchModes).default('hybrid'))
    .option('--language <names>', 'only code of these languages, with commas between', listed)
    .option('--path <glob>', 'only files that this matches, as src/**/*.ts; several where it is given again', repeated)
    .addOption(new Option('--kind <kinds>', `only such parts, with commas between: ${chunkKinds.join(', ')}`).argParser(kindsOf))
    .option('--group', 'put the results of a file together')
    .option('--similar <place>', 'find what is like this code instead: FILE, FILE:LINE or FILE:FIRST-LAST')
    .option('--no-update', 'search the index as it is, without a look at what has changed')
    .action(async (words: readonly string[], options: SearchCommandOptions) => run(words.join(' '), options, signal));
}

async function run(words: string, options: SearchCommandOptions, signal: AbortSignal): Promise<void> {
  if (words.trim() !== '' && options.similar !== undefined) throw errors.usage('Give a query or --similar, not both.');
  if (words.trim() === '' && options.similar === undefined) throw errors.usage('The query is empty: write what you look for, or name code with --similar.');
  const named = options.similar === undefined ? undefined : await codeAt(options.similar, options.workspace);
  const line = new ProgressLine();
  const { limit, mode, language, path, kind, update } = options;
  const request = { query: named?.code ?? words, limit, mode, languages: language, paths: path, kinds: kind, isCode: named !== undefined, except: named?.except };
  const asking = askWorkspace(options.workspace, request, { ...indexOptionsOf(options, signal), encoder: encoderRequest(options), update });
  const answer = await showSteps(asking, line, (step) => show(step, line));
  if (options.json) return printJson(documentOf(answer));
  await print(describeAnswer(answer, { isGrouped: options.group === true, isColoured: process.stdout.isTTY && !process.env['NO_COLOR'] }));
}

/** The document of `--json`: a snippet is one text. */
export function documentOf({ hits, index, notes, milliseconds }: SearchAnswer): Record<string, unknown> {
  return { results: hits.map(({ snippet, ...hit }) => ({ ...hit, snippet: snippet.lines.join('\n'), snippetLine: snippet.startLine, matchedLines: snippet.matchedLines })), index, notes, milliseconds };
}

/** Code that a place names, and where it stands in the workspace, where it does. */
interface NamedCode {
  readonly code: string;
  readonly except: SearchRequest['except'];
}

/** The lines of a file that a place names, from here or from the workspace, as answers name it. Errors: USAGE, NOT_FOUND. */
async function codeAt(place: string, workspace: string): Promise<NamedCode> {
  const [, file, first, last] = /^(.*?)(?::(\d+)(?:-(\d+))?)?$/s.exec(place) as unknown as [string, string, string | undefined, string | undefined];
  const isHere = existsSync(file);
  const absolute = isHere ? resolve(file) : resolve(workspace, file);
  const text = await readFile(absolute, 'utf8').catch((error: unknown) => {
    throw errors.notFound(`${file} cannot be read: ${reason(error)}.`, error);
  });
  const all = text.split(/\r\n|\n|\r/);
  const startLine = first === undefined ? 1 : Number(first);
  const endLine = first === undefined ? all.length : Number(last ?? first);
  const code = all.slice(startLine - 1, endLine).join('\n');
  if (code.trim() === '') throw errors.usage(`${place} holds no code: name lines that do.`);
  const path = relative(await realpath(workspace).catch(() => workspace), await realpath(absolute)).split(sep).join('/');
  return { code, except: { path, startLine, endLine } };
}

/** An option that may be given again; a list behind it would take the query's words for its own. */
function repeated(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

function listed(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, ...value.split(',').map((name) => name.trim()).filter((name) => name !== '')];
}

function kindsOf(value: string, before: readonly ChunkKind[] = []): readonly ChunkKind[] {
  return [
    ...before,
    ...listed(value).map((name) => {
      const kind = chunkKinds.find((known) => known === name);
      if (kind === undefined) throw new InvalidArgumentError(`It has to be some of ${chunkKinds.join(', ')}.`);
      return kind;
    }),
  ];
}
