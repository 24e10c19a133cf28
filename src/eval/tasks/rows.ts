import { createHash } from 'node:crypto';
import * as z from 'zod';
import { isRejected, readRows, Rejections, textField } from '../../data/rows.ts';
import { errors } from '../../errors.ts';

/** What the reading of one task gathers on its way, and how it is stopped. */
export class TaskReading {
  readonly rejections = new Rejections();
  readonly signal: AbortSignal | undefined;
  /** Of what is drawn from the rows. */
  readonly seed: number;
  readonly #hash = createHash('sha256');

  constructor(seed: number, signal: AbortSignal | undefined) {
    this.seed = seed;
    this.signal = signal;
  }

  /** Reads the rows of a file and gathers what each gives. Errors: BAD_DATA where they give nothing; those of `readRows`. */
  async collect<Row, Item>(file: string, schema: z.ZodType<Row>, items: (row: Row, reject: (reason: string) => void) => readonly Item[]): Promise<Item[]> {
    const collected: Item[] = [];
    for await (const row of readRows(file, schema, this.signal)) {
      if (isRejected(row)) {
        this.rejections.add(row);
        continue;
      }
      const { line } = row;
      for (const item of items(row.value, (reason) => this.rejections.add({ file, line, reason }))) {
        this.#hash.update(`${JSON.stringify(item)}\n`);
        collected.push(item);
      }
    }
    if (collected.length > 0) return collected;
    const why = this.rejections.first(file);
    throw errors.badData(why === '' ? `${file} is empty.` : `${file} holds no row that can be used (${why}).`);
  }

  fingerprint(): string {
    return this.#hash.digest('hex');
  }
}

/** A class: a text, a number or a truth value, as a text. */
export const labelField = (field: string): z.ZodType<string> =>
  z.union([z.string(), z.number(), z.boolean()], { error: ({ input }) => (input === undefined ? `${field} is missing` : `${field} is not a text or a number`) }).transform(String);

/** A list of anything, whose entries are checked one by one. */
export const listField = (field: string): z.ZodType<unknown[]> =>
  z.array(z.unknown(), { error: ({ input }) => (input === undefined ? `${field} is missing` : `${field} is not a list`) });

/** The value of one entry of a row, or undefined where it cannot be used; then the reason is told. */
export function entryOf<T>(schema: z.ZodType<T>, value: unknown, reject: (reason: string) => void): T | undefined {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  reject(result.error.issues[0]?.message ?? 'is not what it should be');
  return undefined;
}

/** The texts of a list, or the one that stands in its place, without those that cannot be used; of these the reason is told. */
export function textsOf(field: string, value: unknown, reject: (reason: string) => void): string[] {
  if (!Array.isArray(value)) return [entryOf(textField(field), value, reject) ?? []].flat();
  return value.flatMap((text, i) => entryOf(textField(`${field}[${i}]`), text, reject) ?? []);
}
