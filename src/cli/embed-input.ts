import { fstatSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { splitLines } from '../data/lines.ts';
import { roles } from '../encoder/calibration.ts';
import type { RoleInput } from '../encoder/prompt.ts';
import { errors, L3PruneError, throwIfCancelled } from '../errors.ts';
import { reason } from '../files.ts';

/** A line of the input, 1-based, as it was read. */
export interface InputLine {
  readonly number: number;
  readonly input: RoleInput;
  /** In UTF-16 units. */
  readonly length: number;
}

const text = (field: string) => z.string({ error: ({ input }) => (input === undefined ? `has no ${field}` : `has a ${field} that is not a text`) });
/** Null is how many programs write what is not there. */
const optionalText = (field: string) => text(field).nullish().transform((value) => value ?? undefined);
const inputSchema = z.object({
  text: text('text'),
  instruction: optionalText('instruction'),
  separator: optionalText('separator'),
  prefix: optionalText('prefix'),
  suffix: optionalText('suffix'),
  role: z.enum(roles as ['query', 'document'], { error: 'has a role that is neither query nor document' }).nullish().transform((value) => value ?? undefined),
});
/** What tells a line of ours; others write a role, too. */
const fields = Object.keys(inputSchema.shape).filter((field) => field !== 'role');
/** Begins as an object of ours does, and no code or prose. */
const meantAsObject = new RegExp(`^\\{\\s*"(${fields.join('|')})"\\s*:`);

/**
 * A line that is a JSON object with one of our fields is read as one; every other line is itself the text, also where it
 * begins with a brace as code does. Errors: BAD_DATA for an object that is not whole or has fields of other types.
 */
export function parseLine(line: string, number: number): RoleInput {
  if (line.includes('\0')) throw errors.badData(`Line ${number} of the input holds a NUL: it is no text.`);
  const json = line.startsWith('{') ? parseObject(line) : undefined;
  if (json === undefined) {
    if (meantAsObject.test(line)) throw errors.badData(`Line ${number} of the input begins as a JSON object with a text and is not valid JSON.`);
    return { text: line };
  }
  if (!fields.some((field) => Object.hasOwn(json, field))) return { text: line };
  const parsed = inputSchema.safeParse(json);
  if (parsed.success) return parsed.data as RoleInput;
  throw errors.badData(`Line ${number} of the input ${parsed.error.issues[0]?.message ?? 'is not of the expected form'}.`);
}

function parseObject(line: string): object | undefined {
  try {
    return JSON.parse(line) as object;
  } catch {
    return undefined;
  }
}

/**
 * The texts of a stream, a line each; blank lines at its end are passed over. A line that cannot be read ends it: what
 * was left out would shift every line after it. Errors: BAD_DATA, NOTHING_TO_POOL for a blank line, CANCELLED.
 */
export async function* inputLines(source: Readable & { fd?: number }, signal: AbortSignal): AsyncGenerator<InputLine> {
  if (source.fd !== undefined && fstatSync(source.fd).isDirectory()) throw errors.badData('The standard input is a folder: give a text a line.');
  const stop = (): void => void source.destroy();
  signal.addEventListener('abort', stop, { once: true });
  let expected = 1;
  try {
    for await (const line of splitLines(source, signal)) {
      if (line.number !== expected++) throw errors.nothingToPool(`Line ${expected - 1} of the input is blank: leave it out.`);
      if (line.problem !== undefined) throw errors.badData(`Line ${line.number} of the input ${line.problem}.`);
      const text = line.text.replace(/\r$/, '');
      yield { number: line.number, input: parseLine(text, line.number), length: text.length };
    }
  } catch (error) {
    throwIfCancelled(signal);
    if (error instanceof L3PruneError) throw error;
    throw errors.badData(`The standard input cannot be read: ${reason(error)}.`, error);
  } finally {
    signal.removeEventListener('abort', stop);
  }
  throwIfCancelled(signal);
}

/** Does something with a line; a failure of ours names the line. */
export function naming<T>(number: number, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof L3PruneError)) throw error;
    throw new L3PruneError(error.code, `Line ${number} of the input: ${error.message}`, { cause: error });
  }
}
