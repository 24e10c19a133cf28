import { constants } from 'node:os';
import { Command, CommanderError } from 'commander';
import { CancelledError, describeError } from '../errors.ts';
import { createdBy } from '../version.ts';
import { demoCommand } from './commands/demo.ts';
import { embedCommand } from './commands/embed.ts';
import { evalCommand } from './commands/eval.ts';
import { mineCommand } from './commands/mine.ts';
import { profileCommand } from './commands/profile.ts';
import { pruneCommand } from './commands/prune.ts';

const exitCodes = { failed: 1, usage: 2, interrupted: 128 + constants.signals.SIGINT } as const;

const interrupt = new AbortController();
process.once('SIGINT', () => {
  interrupt.abort();
  // A second one does not wait for the run in progress.
  process.once('SIGINT', () => process.exit(exitCodes.interrupted));
});
// A reader that has seen enough closes the pipe; that is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const program = new Command('l3prune')
  .description('Turns a decoder LLM into a small text encoder on this machine.')
  .version(createdBy)
  .exitOverride()
  .showHelpAfterError('Run it with --help for what it takes.');
for (const command of [demoCommand, profileCommand, pruneCommand, embedCommand, mineCommand, evalCommand])
  program.addCommand(command(interrupt.signal).exitOverride());

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

/** Says in one line what went wrong; the exit code that goes with it. */
function report(error: unknown): number {
  // Commander has printed its own sentence.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes.usage;
  const { code, message } = describeError(error);
  process.stderr.write(`l3prune: ${message} [${code}]\n`);
  if (error instanceof CancelledError) return exitCodes.interrupted;
  return code === 'USAGE' ? exitCodes.usage : exitCodes.failed;
}
