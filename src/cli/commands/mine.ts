import { lstat, mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { codeLanguages, type CodeLanguage } from '../../data/grammars.ts';
import { mine, type MineProgress, type MineResult } from '../../data/mine.ts';
import type { MineOptions } from '../../data/mine/context.ts';
import { functionHashes } from '../../data/mine/exclude.ts';
import { mineKinds, type MineKind, writeTriplets } from '../../data/mine/triplet.ts';
import { errors } from '../../errors.ts';
import { reason } from '../../files.ts';
import { decimal, named, reportOptions, wholeNumber, type ReportOptions } from '../options.ts';
import { print, printJson } from '../output.ts';
import { ProgressLine, showSteps } from '../progress.ts';
import { minePackages, type PackagesOptions } from './mine-packages.ts';
import { foundTable, reasonsOf } from './mine-report.ts';

interface MineCommandOptions extends ReportOptions, Omit<PackagesOptions, 'packages'> {
  readonly workspace?: string;
  readonly packages?: string;
  readonly out: string;
  readonly heldOut?: string;
  readonly heldOutShare: number;
  readonly kinds: readonly MineKind[];
  readonly languages: readonly CodeLanguage[];
  readonly negatives: number;
  readonly excludeFunctions?: readonly string[];
  readonly dependencies: boolean;
  readonly keepNames?: true;
  readonly limit: number;
  readonly seed: number;
  readonly force?: true;
}

const MOST_NEGATIVES = 64;
const MOST_ROWS = 10_000_000;

/** `l3prune mine`: training rows from the user's own code, or from published packages. */
export function mineCommand(signal: AbortSignal): Command {
  return reportOptions(new Command('mine').description("make training rows from a workspace's own code and its installed packages, or from published ones"))
    .argument('[folders...]', 'workspaces to read; nothing in them is run or changed')
    .option('--workspace <dir>', 'the same, for one', named)
    .option('--packages <file>', 'mine packages of PyPI and npm instead: the file names one a line, as pypi:NAME or npm:NAME', named)
    .requiredOption('--out <path>', 'the .jsonl file to write; of packages, the folder', named)
    .option('--held-out <file>', 'a second file, for the rows of source files that --out has none of', named)
    .option('--held-out-share <share>', 'the share of the source files whose rows are held out', share, 0.1)
    .addOption(new Option('--kinds <kinds>', `what makes a pair: ${mineKinds.join(', ')}`).argParser(oneOrMoreOf(mineKinds)).default([...mineKinds], 'all of them'))
    .addOption(new Option('--languages <languages>', `which code is read: ${codeLanguages.join(', ')}`).argParser(oneOrMoreOf(codeLanguages)).default([...codeLanguages], 'all of them'))
    .option('--negatives <n>', 'hard negatives a row, by BM25', wholeNumber(0, MOST_NEGATIVES), 1)
    .option('--exclude-functions <paths...>', 'leave out functions whose body stands in these .jsonl files, as code or positive, or in these folders of source files')
    .option('--exclude-packages <files...>', 'never fetch the packages that these files name, nor keep copies of them in others')
    .option('--no-dependencies', 'leave out what is installed in node_modules')
    .option('--keep-names', "leave a function's name in its code where the query is made of it")
    .option('--limit <n>', 'stop at so many rows', wholeNumber(1, MOST_ROWS), 10_000)
    .option('--package-limit <n>', 'with --packages: rows of one package, at most', wholeNumber(1, MOST_ROWS), 3000)
    .option('--seed <seed>', 'of the order in which packages and files are read, and of the split', wholeNumber(0, Number.MAX_SAFE_INTEGER), 42)
    .option('--force', 'replace what is already there')
    .action(async (folders: readonly string[], options: MineCommandOptions) => run(folders, options, signal));
}

async function run(folders: readonly string[], options: MineCommandOptions, signal: AbortSignal): Promise<void> {
  const { packages, workspace } = options;
  const workspaces = workspace === undefined ? folders : [workspace, ...folders];
  if (packages !== undefined && (workspaces.length > 0 || options.heldOut !== undefined))
    throw errors.usage('--packages goes without folders and without --held-out: its held-out rows lie in a folder of --out.');
  if (packages === undefined && workspaces.length === 0) throw errors.usage('Name a folder to mine, or a list of packages with --packages.');
  if (packages === undefined && options.excludePackages !== undefined) throw errors.usage('--exclude-packages is for --packages alone.');
  const { seed, kinds, languages, negatives, keepNames = false, heldOutShare } = options;
  const settings = { seed, kinds, languages, negatives, keepNames, heldOutShare, signal };
  const excluding = async (): Promise<ReadonlySet<string>> => functionHashes(options.excludeFunctions ?? [], signal);
  if (packages !== undefined) await minePackages({ ...options, packages }, { ...settings, exclude: await excluding() });
  else await mineWorkspaces(workspaces, options, settings, excluding);
}

async function mineWorkspaces(
  workspaces: readonly string[],
  options: MineCommandOptions,
  settings: Omit<MineOptions, 'limit'>,
  excluding: () => Promise<ReadonlySet<string>>,
): Promise<void> {
  const { out, heldOut, limit, force, dependencies } = options;
  const files = heldOut === undefined ? [out] : [out, heldOut];
  if (heldOut !== undefined && resolve(out) === resolve(heldOut)) throw errors.usage('--out and --held-out name the same file: name two.');
  for (const file of files) await checkFileTarget(file, force);
  const split = heldOut === undefined ? { heldOutShare: 0 } : {};
  const mining = mine(workspaces, { ...settings, ...split, limit, dependencies, exclude: await excluding() });
  const mined = await showMining(mining, new ProgressLine());
  if (mined.triplets.length === 0) throw errors.badData(nothingFound(workspaces.join(', '), mined));
  for (const file of files) await makeFolder(file);
  await writeTriplets(out, mined.triplets);
  if (heldOut !== undefined) await writeTriplets(heldOut, mined.heldOut);
  if (heldOut !== undefined && mined.heldOut.length === 0) process.stderr.write(`No row is held out, and ${heldOut} is empty: there are few source files; raise --held-out-share.\n`);
  const { triplets, heldOut: held, ...found } = mined;
  if (options.json) await printJson({ out, triplets: triplets.length, ...(heldOut !== undefined && { heldOutFile: heldOut, heldOut: held.length }), ...found });
  else await print(`${describeMined(mined)}written to ${files.join(' and ')}\n`);
}

/** A parser of a list of names, separated by commas. */
function oneOrMoreOf<T extends string>(all: readonly T[]): (text: string) => T[] {
  return (text) =>
    text.split(',').map((part) => {
      const found = all.find((name) => name === part.trim());
      if (found === undefined) throw new InvalidArgumentError(`It has to be one or more of ${all.join(', ')}, with commas between.`);
      return found;
    });
}

/** A parser of a part of the whole that is neither nothing nor all. */
function share(text: string): number {
  const value = decimal(text);
  if (value > 0 && value < 1) return value;
  throw new InvalidArgumentError('It has to be a number above 0 and below 1.');
}

/** Refuses a file that is in the way before minutes are spent on mining. An empty one holds nothing to lose. */
async function checkFileTarget(out: string, force: boolean | undefined): Promise<void> {
  const found = await lstat(out).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw errors.writeFailed(`${out} cannot be written: ${reason(error)}.`, error);
  });
  if (found === undefined) return;
  // A link or a device would not be written to but replaced.
  if (!found.isFile()) throw errors.exists(`${out} is ${found.isDirectory() ? 'a folder' : 'no plain file'}: name a file.`);
  if (found.size > 0 && !force) throw errors.exists(`${out} exists already: name another file, or replace it with --force.`);
}

async function makeFolder(out: string): Promise<void> {
  await mkdir(dirname(resolve(out)), { recursive: true }).catch((error: unknown) => {
    throw errors.writeFailed(`${out} cannot be written: ${reason(error)}.`, error);
  });
}

/** Runs a mining to its end with its progress on the line. */
export function showMining(running: AsyncGenerator<MineProgress, MineResult>, line: ProgressLine): Promise<MineResult> {
  return showSteps(running, line, ({ filesDone, files, triplets }) => line.show('reading code', filesDone, files, `${triplets} rows`));
}

/** What a mining found by kind and language, and what it left out and why. */
export function describeMined({ triplets, heldOut, found, packages, filesDone, files, skipped }: MineResult): string {
  const held = heldOut.length === 0 ? '' : ` and ${heldOut.length} held out`;
  return `${triplets.length} rows${held} from ${filesDone} of ${files} files in ${packages} packages\n${foundTable(found, skipped)}`;
}

/** Why there is no row, with the three reasons that most was left out for. */
function nothingFound(workspace: string, { skipped, heldOut }: MineResult): string {
  const reasons = reasonsOf(skipped).slice(0, 3);
  const left = reasons.length === 0 ? '' : ` (left out: ${reasons.join(', ')})`;
  const what = heldOut.length > 0 ? `gave ${heldOut.length} rows and all of them are held out` : 'has no function with a query and another function beside it';
  return `${workspace} ${what}${left}; nothing was written.`;
}
