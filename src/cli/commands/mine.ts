import { lstat, mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { codeLanguages, type CodeLanguage } from '../../data/grammars.ts';
import { mine, type MineProgress, type MineResult } from '../../data/mine.ts';
import { functionHashes } from '../../data/mine/exclude.ts';
import { mineKinds, type MineKind, writeTriplets } from '../../data/mine/triplet.ts';
import { errors } from '../../errors.ts';
import { reason } from '../../files.ts';
import { decimal, named, reportOptions, wholeNumber, type ReportOptions } from '../options.ts';
import { print, printJson, table } from '../output.ts';
import { ProgressLine, showSteps } from '../progress.ts';

interface MineCommandOptions extends ReportOptions {
  readonly workspace: string;
  readonly out: string;
  readonly heldOut?: string;
  readonly heldOutShare: number;
  readonly kinds: readonly MineKind[];
  readonly languages: readonly CodeLanguage[];
  readonly negatives: number;
  readonly excludeFunctions?: readonly string[];
  readonly packages?: true;
  readonly dependencies: boolean;
  readonly keepNames?: true;
  readonly limit: number;
  readonly seed: number;
  readonly force?: true;
}

const MOST_NEGATIVES = 64;

/** `l3prune mine`: training rows from the user's own code. */
export function mineCommand(signal: AbortSignal): Command {
  return reportOptions(new Command('mine').description("make training rows from a workspace's own code and its installed packages"))
    .requiredOption('--workspace <dir>', 'the folder to read; nothing in it is run or changed', named)
    .requiredOption('--out <file>', 'the .jsonl file to write', named)
    .option('--held-out <file>', 'a second file, for the rows of files that --out has none of', named)
    .option('--held-out-share <share>', 'the share of the files whose rows are held out', share, 0.1)
    .option('--kinds <kinds>', `what makes a pair: ${mineKinds.join(', ')}`, oneOrMoreOf(mineKinds), [...mineKinds])
    .option('--languages <languages>', `which code is read: ${codeLanguages.join(', ')}`, oneOrMoreOf(codeLanguages), [...codeLanguages])
    .option('--negatives <n>', 'hard negatives a row, by BM25', wholeNumber(0, MOST_NEGATIVES), 1)
    .option('--exclude-functions <files...>', 'leave out functions whose body stands in these .jsonl files, as code or positive')
    .option('--packages', 'the folder holds downloaded packages, and is no repository')
    .option('--no-dependencies', 'leave out what is installed in node_modules')
    .option('--keep-names', "leave a function's name in its code where the query is made of it")
    .option('--limit <n>', 'stop at so many rows', wholeNumber(1, 10_000_000), 10_000)
    .option('--seed <seed>', 'of the order in which packages and files are read, and of the split', wholeNumber(0, Number.MAX_SAFE_INTEGER), 42)
    .option('--force', 'replace files that are already there')
    .action(async (options: MineCommandOptions) => run(options, signal));
}

async function run(options: MineCommandOptions, signal: AbortSignal): Promise<void> {
  const { workspace, out, heldOut, kinds, languages, negatives, keepNames = false, limit, seed, force } = options;
  const files = heldOut === undefined ? [out] : [out, heldOut];
  if (heldOut !== undefined && resolve(out) === resolve(heldOut)) throw errors.usage('--out and --held-out name the same file: name two.');
  for (const file of files) await checkFileTarget(file, force);
  const exclude = await functionHashes(options.excludeFunctions ?? [], signal);
  const layout = options.packages ? 'packages' : options.dependencies ? 'workspace' : 'workspace-only';
  const heldOutShare = heldOut === undefined ? 0 : options.heldOutShare;
  const mining = mine(workspace, { seed, limit, kinds, languages, negatives, heldOutShare, layout, exclude, keepNames, signal });
  const mined = await showMining(mining, new ProgressLine());
  if (mined.triplets.length === 0) throw errors.badData(nothingFound(workspace, mined));
  for (const file of files) await makeFolder(file);
  await writeTriplets(out, mined.triplets);
  if (heldOut !== undefined) await writeTriplets(heldOut, mined.heldOut);
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
  const kinds = mineKinds.filter((kind) => found.some((each) => each.kind === kind));
  const languages = codeLanguages.filter((language) => found.some((each) => each.language === language));
  const count = (rows: MineResult['found']): string => {
    const held = rows.reduce((sum, each) => sum + each.heldOut, 0);
    const all = rows.reduce((sum, each) => sum + each.count, 0);
    return held === 0 ? String(all) : `${all} + ${held}`;
  };
  const rowOf = (name: string, rows: MineResult['found']): string[] => [name, ...kinds.map((kind) => count(rows.filter((each) => each.kind === kind))), count(rows)];
  const reasons = reasonsOf(skipped);
  const held = heldOut.length === 0 ? '' : ` and ${heldOut.length} held out`;
  return (
    `${triplets.length} rows${held} from ${filesDone} of ${files} files in ${packages} packages\n` +
    table([['', ...kinds, 'all'], ...languages.map((language) => rowOf(language, found.filter((each) => each.language === language))), rowOf('all', found)]) +
    (reasons.length === 0 ? '' : `left out: ${reasons.join(', ')}\n`)
  );
}

/** Why there is no row, with the three reasons that most was left out for. */
function nothingFound(workspace: string, { skipped, heldOut }: MineResult): string {
  const reasons = reasonsOf(skipped).slice(0, 3);
  const left = reasons.length === 0 ? '' : ` (left out: ${reasons.join(', ')})`;
  const what = heldOut.length > 0 ? `gave ${heldOut.length} rows and all of them are held out` : 'has no function with a query and another function beside it';
  return `${workspace} ${what}${left}; nothing was written.`;
}

function reasonsOf(skipped: MineResult['skipped']): string[] {
  return Object.entries(skipped)
    .sort((a, b) => b[1] - a[1])
    .map(([reason, count]) => `${count} ${reason}`);
}
