import { createHash, type Hash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import type { RejectedRow } from '../data/triplet.ts';
import { isRejected, readRows, Rejections, textField } from '../data/rows.ts';
import { errors } from '../errors.ts';

/** A text that can be found. */
export interface CorpusDocument {
  readonly id: string;
  readonly text: string;
}

/** A question, and the documents that answer it: at least one, each in the corpus, with its grade, a whole number from 1. */
export interface CorpusQuery {
  readonly id: string;
  readonly query: string;
  readonly relevant: ReadonlyMap<string, number>;
}

/** A retrieval test set: what `eval` measures an encoder on. */
export interface Corpus {
  readonly documents: readonly CorpusDocument[];
  readonly queries: readonly CorpusQuery[];
  /** Whether a document that has the id of a query is not ranked for it, because it is that query itself. */
  readonly ignoreIdenticalIds: boolean;
  readonly rejected: readonly RejectedRow[];
  /** SHA-256 over the accepted documents and queries in order, hexadecimal. */
  readonly fingerprint: string;
}

/** How a schema words that a row is something else. */
export const notAnObject = { error: 'is not a JSON object' };

const documentSchema = z
  .object({ id: textField('id'), code: textField('code').optional(), text: textField('text').optional() }, notAnObject)
  .transform((row) => ({ id: row.id, text: row.code ?? row.text ?? '' }))
  .refine((document) => document.text !== '', 'code (or text) is missing');

const querySchema = z.object(
  {
    id: textField('id'),
    query: textField('query'),
    relevant: z
      .array(textField('relevant'), { error: 'relevant is not a list of ids' })
      .refine((ids) => ids.length > 0, 'relevant is empty')
      .transform((ids) => [...new Set(ids)]),
  },
  notAnObject,
);

/**
 * Reads a folder with `corpus.jsonl` (`id`, `code` or `text`) and `queries.jsonl` (`id`, `query`, `relevant`: a list of
 * ids), either of them perhaps `.gz`. A row that cannot be used, whose id has been seen before, or that calls a document
 * relevant that is not in the corpus is left out and named.
 *
 * @throws NOT_FOUND, BAD_DATA (no usable document or query, or a broken gzip), CANCELLED
 */
export async function readCorpus(folder: string, signal?: AbortSignal): Promise<Corpus> {
  const rejections = new Rejections();
  const hash = createHash('sha256');
  const documents = await readUnique(await locateFile(folder, 'corpus'), documentSchema, { rejections, hash, signal });
  const known = new Set(documents.map(({ id }) => id));
  const strange = ({ relevant }: { readonly relevant: readonly string[] }): string | undefined => {
    const id = relevant.find((id) => !known.has(id));
    return id === undefined ? undefined : `relevant names ${quoted(id)}, which is not in the corpus`;
  };
  const rows = await readUnique(await locateFile(folder, 'queries'), querySchema, { rejections, hash, signal, refuse: strange });
  const queries = rows.map((row) => ({ ...row, relevant: new Map(row.relevant.map((id) => [id, 1])) }));
  return { documents, queries, ignoreIdenticalIds: false, rejected: rejections.rows, fingerprint: hash.digest('hex') };
}

/** The path of `NAME.jsonl` or `NAME.jsonl.gz` in a folder. Throws NOT_FOUND. */
export async function locateFile(folder: string, name: string): Promise<string> {
  for (const file of [path.join(folder, `${name}.jsonl`), path.join(folder, `${name}.jsonl.gz`)]) {
    if (await stat(file).catch(() => undefined)) return file;
  }
  throw errors.notFound(`${folder} holds no ${name}.jsonl or ${name}.jsonl.gz: name a folder with a corpus and queries.`);
}

/** The names of the fields of a file's first JSON object; none where there is no such row. Errors: those of `readRows`. */
export async function firstFields(file: string, signal?: AbortSignal): Promise<string[]> {
  for await (const row of readRows(file, z.record(z.string(), z.unknown()), signal)) if (!isRejected(row)) return Object.keys(row.value);
  return [];
}

/** An id or a name that a stranger wrote, as a sentence can hold it. */
export const quoted = (text: string): string => JSON.stringify(text.slice(0, 80));

/**
 * The rows of a file that can be used, the first of each id; the others go to `rejections`. What is read goes into the
 * hash.
 *
 * @throws BAD_DATA where none is left, and what `readRows` throws
 */
export async function readUnique<T extends { readonly id: string }>(
  file: string,
  schema: z.ZodType<T>,
  options: { rejections: Rejections; hash: Hash; signal: AbortSignal | undefined; refuse?: (value: T) => string | undefined },
): Promise<T[]> {
  const { rejections, hash, signal, refuse } = options;
  const values: T[] = [];
  const lines = new Map<string, number>();
  for await (const row of readRows(file, schema, signal)) {
    if (isRejected(row)) {
      rejections.add(row);
      continue;
    }
    const { value, line } = row;
    const first = lines.get(value.id);
    const reason = first === undefined ? refuse?.(value) : `its id is that of line ${first}`;
    if (reason !== undefined) {
      rejections.add({ file, line, reason });
      continue;
    }
    lines.set(value.id, line);
    hash.update(`${JSON.stringify(Object.values(value))}\n`);
    values.push(value);
  }
  if (values.length > 0) return values;
  const why = rejections.first(file);
  throw errors.badData(why === '' ? `${file} is empty.` : `${file} holds no row that can be used (${why}).`);
}
