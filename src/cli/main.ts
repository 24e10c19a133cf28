#!/usr/bin/env node
import { constants } from 'node:os';
import { Command, CommanderError } from 'commander';
import { CancelledError, describeError, errors } from '../errors.ts';
import { reason } from '../files.ts';
import { createdBy } from '../version.ts';
import { demoCommand } from './commands/demo.ts';
import { embedCommand } from './commands/embed.ts';
import { engineCommand } from './commands/engine.ts';
import { evalCommand } from './commands/eval.ts';
import { exportCommand } from './commands/export.ts';
import { indexCommand } from './commands/index.ts';
import { mcpCommand } from './commands/mcp.ts';
import { mineCommand } from './commands/mine.ts';
import { profileCommand } from './commands/profile.ts';
import { pruneCommand } from './commands/prune.ts';
import { searchCommand } from './commands/search.ts';
import { sweepCommand } from './commands/sweep.ts';
import { trainCommand } from './commands/train.ts';

const exitCodes = { failed: 1, usage: 2, interrupted: 128 + constants.signals.SIGINT } as const;

/** How soon a program that has done its work is ended, once its reader has taken all of it. */
const lingerMilliseconds = 1000;

const interrupt = new AbortController();
process.once('SIGINT', () => {
  process.stderr.write(`${process.stderr.isTTY ? '\n' : ''}Stopping after the step that is running; a second Ctrl-C stops at once.\n`);
  interrupt.abort();
  process.once('SIGINT', () => process.exit(exitCodes.interrupted));
});
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // A reader that has seen enough closes the pipe; that is no failure of ours.
  if (error.code === 'EPIPE') process.exit(0);
  process.exit(report(errors.writeFailed(`Standard output cannot be written: ${reason(error)}.`, error)));
});
// With nobody left to read what is said, nothing is said.
process.stderr.on('error', () => undefined);
process.on('uncaughtException', (error) => process.exit(report(error)));

const program = asOurs(new Command('l3prune').description('Turns a decoder LLM into a small text encoder on this machine.').version(createdBy));
for (const command of [demoCommand, profileCommand, pruneCommand, embedCommand, mineCommand, evalCommand, trainCommand, sweepCommand, exportCommand, indexCommand, searchCommand, mcpCommand, engineCommand])
  program.addCommand(asOurs(command(interrupt.signal), 'l3prune '));

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
  // What a reader that has stopped reading was to get must not keep a cancelled program alive.
  if (error instanceof CancelledError) process.exit();
}

// All is done: what is still open, as a watch that was being set while it was closed, does not keep the program.
setInterval(() => {
  if (process.stdout.writableLength === 0) process.exit();
}, lingerMilliseconds).unref();

/** Has Commander throw instead of exiting, and say what is wrong with the arguments in a line of our form. */
function asOurs(command: Command, parent = ''): Command {
  for (const subcommand of command.commands) asOurs(subcommand, `${parent}${command.name()} `);
  return command.exitOverride().configureOutput({
    outputError: (text, write) => {
      const sentence = text.replace(/^error: /, '').trim().replace(/\s*\n\s*/g, ' ').replace(/(?<![.)?])$/, '.');
      write(`l3prune: ${sentence[0]?.toUpperCase()}${sentence.slice(1)} Run ${parent}${command.name()} --help for what it takes. [USAGE]\n`);
    },
  });
}

/** Says in one line what went wrong; the exit code that goes with it. */
function report(error: unknown): number {
  // Commander has printed its own sentence.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes.usage;
  const { code, message } = describeError(error);
  process.stderr.write(`l3prune: ${message.replace(/\s*[\r\n]+\s*/g, ' ')} [${code}]\n`);
  if (error instanceof CancelledError) return exitCodes.interrupted;
  return code === 'USAGE' ? exitCodes.usage : exitCodes.failed;
}
