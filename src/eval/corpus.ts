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

/** A question and the ids of the documents that answer it, at least one, each in the corpus, each once. */
export interface CorpusQuery {
  readonly id: string;
  readonly query: string;
  readonly relevant: readonly string[];
}

/** A retrieval test set: what `eval` measures an encoder on. */
export interface Corpus {
  readonly documents: readonly CorpusDocument[];
  readonly queries: readonly CorpusQuery[];
  readonly rejected: readonly RejectedRow[];
  /** SHA-256 over the accepted documents and queries in order, hexadecimal. */
  readonly fingerprint: string;
}

const notObject = { error: 'is not a JSON object' };

const documentSchema = z
  .object({ id: textField('id'), code: textField('code').optional(), text: textField('text').optional() }, notObject)
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
  notObject,
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
  const documents = await readUnique(await locate(folder, 'corpus'), documentSchema, { rejections, hash, signal });
  const known = new Set(documents.map(({ id }) => id));
  const strange = (query: CorpusQuery): string | undefined => {
    const id = query.relevant.find((id) => !known.has(id));
    return id === undefined ? undefined : `relevant names ${JSON.stringify(id.slice(0, 80))}, which is not in the corpus`;
  };
  const queries = await readUnique(await locate(folder, 'queries'), querySchema, { rejections, hash, signal, refuse: strange });
  return { documents, queries, rejected: rejections.rows, fingerprint: hash.digest('hex') };
}

async function locate(folder: string, name: string): Promise<string> {
  for (const file of [path.join(folder, `${name}.jsonl`), path.join(folder, `${name}.jsonl.gz`)]) {
    if (await stat(file).catch(() => undefined)) return file;
  }
  throw errors.notFound(`${folder} holds no ${name}.jsonl or ${name}.jsonl.gz: name a folder with a corpus and queries.`);
}

async function readUnique<T extends { readonly id: string }>(
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
