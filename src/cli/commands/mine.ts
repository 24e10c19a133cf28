import { lstat, mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Command } from 'commander';
import { mine, writeTriplets, type MineProgress, type MineResult } from '../../data/mine.ts';
import { errors } from '../../errors.ts';
import { reason } from '../../files.ts';
import { named, reportOptions, wholeNumber, type ReportOptions } from '../options.ts';
import { print, printJson } from '../output.ts';
import { ProgressLine, showSteps } from '../progress.ts';

interface MineCommandOptions extends ReportOptions {
  readonly workspace: string;
  readonly out: string;
  readonly limit: number;
  readonly seed: number;
  readonly force?: true;
}

/** `l3prune mine`: training triplets from the user's own code. */
export function mineCommand(signal: AbortSignal): Command {
  return reportOptions(new Command('mine').description("make triplets from a workspace's own TypeScript and JavaScript and its installed packages"))
    .requiredOption('--workspace <dir>', 'the folder to read; nothing in it is run or changed', named)
    .requiredOption('--out <file>', 'the .jsonl file to write', named)
    .option('--limit <n>', 'stop at so many triplets', wholeNumber(1, 10_000_000), 10_000)
    .option('--seed <seed>', 'of the order in which packages and files are read', wholeNumber(0, Number.MAX_SAFE_INTEGER), 42)
    .option('--force', 'replace a file that is already there')
    .action(async ({ workspace, out, limit, seed, json, force }: MineCommandOptions) => {
      await checkFileTarget(out, force);
      const { triplets, ...found } = await showMining(mine(workspace, { seed, limit, signal }), new ProgressLine());
      if (triplets.length === 0)
        throw errors.badData(
          `${workspace} has no documented TypeScript or JavaScript function with another one beside it${describeSkipped(found)}; nothing was written.`,
        );
      await makeFolder(out);
      await writeTriplets(out, triplets);
      if (json) await printJson({ out, triplets: triplets.length, ...found });
      else await print(`${describeMined({ triplets, ...found })}written to ${out}\n`);
    });
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
  return showSteps(running, line, ({ filesDone, files, triplets }) => line.show('reading code', filesDone, files, `${triplets} triplets`));
}

/** What a mining found by kind and language, and what it left out and why. */
export function describeMined({ triplets, found, packages, filesDone, files, skipped }: MineResult): string {
  const kinds = found.map(({ kind, language, count }) => `${count} ${language} (${kind})`).join(', ');
  const reasons = reasonsOf(skipped);
  return (
    `${triplets.length} triplets from ${filesDone} of ${files} files in ${packages} packages: ${kinds}\n` +
    (reasons.length === 0 ? '' : `left out: ${reasons.join(', ')}\n`)
  );
}

/** The three reasons that most was left out for, in brackets. */
function describeSkipped({ skipped }: Pick<MineResult, 'skipped'>): string {
  const reasons = reasonsOf(skipped).slice(0, 3);
  return reasons.length === 0 ? '' : ` (left out: ${reasons.join(', ')})`;
}

function reasonsOf(skipped: MineResult['skipped']): string[] {
  return Object.entries(skipped)
    .sort((a, b) => b[1] - a[1])
    .map(([reason, count]) => `${count} ${reason}`);
}
