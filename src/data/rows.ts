import path from 'node:path';
import * as z from 'zod';
import { errors, type L3PruneError } from '../errors.ts';
import { readLines, type Place, type OnBytes } from './lines.ts';
import type { RejectedRow } from './triplet.ts';

/** A row of a data file that can be used: its value, and the line it stands in. */
export interface AcceptedRow<T> {
  readonly value: T;
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  readonly text: string;
  /** Where `text` lies in the unpacked file. */
  readonly place: Place;
}

/** A row of a data file, or why it was left out. */
export type Row<T> = AcceptedRow<T> | RejectedRow;

/** Tells the two kinds of row apart. */
export const isRejected = (row: Row<unknown>): row is RejectedRow => 'reason' in row;

/** Past this many rejected rows a file is taken for something else, so that naming them needs no more memory. */
const MAX_REJECTED_ROWS = 1_000_000;

/** A text without NUL and without half of a surrogate pair, which no tokenizer can be given. Messages name the field. */
export const anyText = (field: string): z.ZodString =>
  z
    .string({ error: ({ input }) => (input === undefined ? `${field} is missing` : `${field} is not a text`) })
    .refine((text) => !text.includes('\0'), `${field} holds a NUL`)
    .refine((text) => text.isWellFormed(), `${field} holds half of a surrogate pair`);

/** The same, and not blank. */
export const textField = (field: string): z.ZodString => anyText(field).refine((text) => text.trim() !== '', `${field} is empty`);

/**
 * Reads the JSON object of every line of a file and checks it against the schema; each line comes back as a value or as
 * a rejected row, blank lines excepted.
 *
 * @throws what `readLines` throws
 */
export async function* readRows<T>(
  file: string,
  schema: z.ZodType<T>,
  signal?: AbortSignal,
  onBytes?: OnBytes,
): AsyncGenerator<Row<T>> {
  for await (const line of readLines(file, signal, onBytes)) {
    if (line.problem !== undefined) {
      yield { file, line: line.number, reason: line.problem };
      continue;
    }
    const parsed = parseRow(line.text, schema);
    if ('value' in parsed) yield { value: parsed.value, file, line: line.number, text: line.text, place: line.place };
    else yield { file, line: line.number, reason: parsed.reason };
  }
}

/** The value of one row's text, or why it has none. */
export function parseRow<T>(text: string, schema: z.ZodType<T>): { readonly value: T } | { readonly reason: string } {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { reason: 'is not valid JSON' };
  }
  const result = schema.safeParse(json);
  return result.success ? { value: result.data } : { reason: result.error.issues[0]?.message ?? 'is not what it should be' };
}

/** Collects rejected rows, and stops where there are too many to be named. */
export class Rejections {
  readonly rows: RejectedRow[] = [];

  add(row: RejectedRow): void {
    if (this.rows.length >= MAX_REJECTED_ROWS)
      throw errors.badData(`${row.file} is not what it should be: more than ${MAX_REJECTED_ROWS} rows were rejected (${this.first()}).`);
    this.rows.push(row);
  }

  /** The first few, of one file or of all, for a sentence: "a.jsonl line 3: query is empty; a.jsonl line 7: is not valid JSON". */
  first(file?: string): string {
    return this.rows
      .filter((row) => file === undefined || row.file === file)
      .slice(0, 3)
      .map((row) => `${path.basename(row.file)} line ${row.line}: ${row.reason}`)
      .join('; ');
  }
}

/** The error where no row can be used; `fields` says what a row holds. */
export function nothingUsable(location: string, rejections: Rejections, fields: string): L3PruneError {
  const rejected = rejections.rows.length;
  return rejected === 0
    ? errors.badData(`${location} is empty: a row is a JSON object with ${fields}.`)
    : errors.badData(`${location}: none of its ${rejected} rows can be used (${rejections.first()}).`);
}
