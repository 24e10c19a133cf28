import { createHash, type Hash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { readLines } from '../data/lines.ts';
import { anyText, readRows, Rejections, textField } from '../data/rows.ts';
import type { RejectedRow } from '../data/triplet.ts';
import { errors } from '../errors.ts';
import { firstFields, locateFile, notAnObject, quoted, readUnique, type Corpus } from './corpus.ts';

/** The folder beside corpus and queries that says what answers what. */
const qrelsFolder = 'qrels';
const qrelsNames = ['test.tsv', 'test.jsonl', 'test.jsonl.gz'];

/** Ids are texts here, however a file spells them. */
const idField = (field: string): z.ZodType<string> => z.union([z.number().transform(String), textField(field)], { error: `${field} is missing` });

const documentSchema = z
  .object({ _id: idField('_id'), title: anyText('title').nullish(), text: anyText('text').nullish() }, notAnObject)
  .transform(({ _id, title, text }) => ({ id: _id, text: `${title ?? ''} ${text ?? ''}`.trim() }))
  .refine(({ text }) => text !== '', 'title and text are empty');

const querySchema = z
  .object({ _id: idField('_id'), text: textField('text') }, notAnObject)
  .transform(({ _id, text }) => ({ id: _id, query: text }));

const judgementSchema = z
  .object({ 'query-id': idField('query-id'), 'corpus-id': idField('corpus-id'), score: z.number({ error: 'score is not a number' }) }, notAnObject)
  .transform((row) => ({ query: row['query-id'], document: row['corpus-id'], grade: row.score }))
  .refine(({ grade }) => Number.isInteger(grade), 'score is not a whole number');

/** A judgement of the qrels: how well a document answers a query; 0 and less is not at all. */
type Judgement = z.output<typeof judgementSchema>;

/** The ids there are. */
interface Known {
  readonly queries: ReadonlySet<string>;
  readonly documents: ReadonlySet<string>;
}

/** Whether a folder is laid out as BEIR's data sets are: ids are called `_id` there. Errors: NOT_FOUND, BAD_DATA, CANCELLED. */
export async function isBeir(folder: string, signal?: AbortSignal): Promise<boolean> {
  return (await firstFields(await locateFile(folder, 'corpus'), signal)).includes('_id');
}

/**
 * Reads a data set of BEIR (Thakur et al. 2021): `corpus.jsonl` (`_id`, `title`, `text`), `queries.jsonl` (`_id`,
 * `text`), either perhaps `.gz`, and `qrels/test.tsv` (`query-id`, `corpus-id`, `score`, with a heading; or the same as
 * `.jsonl`). A document is its title and its text; queries without a positive judgement are not asked. What cannot be
 * used, or names what is not there, is left out and named.
 *
 * @throws NOT_FOUND, BAD_DATA (nothing usable in a file, or a broken gzip), CANCELLED
 */
export async function readBeir(folder: string, signal?: AbortSignal): Promise<Corpus> {
  const rejections = new Rejections();
  const hash = createHash('sha256');
  const documents = await readUnique(await locateFile(folder, 'corpus'), documentSchema, { rejections, hash, signal });
  const asked = await readUnique(await locateFile(folder, 'queries'), querySchema, { rejections, hash, signal });
  const known = { queries: new Set(asked.map(({ id }) => id)), documents: new Set(documents.map(({ id }) => id)) };
  const relevant = await readJudgements(await locateJudgements(folder), known, { rejections, hash, signal });
  const queries = asked.flatMap((query) => {
    const found = relevant.get(query.id);
    return found === undefined ? [] : [{ ...query, relevant: found }];
  });
  return { documents, queries, ignoreIdenticalIds: true, rejected: rejections.rows, fingerprint: hash.digest('hex') };
}

async function locateJudgements(folder: string): Promise<string> {
  for (const name of qrelsNames) {
    const file = path.join(folder, qrelsFolder, name);
    if (await stat(file).catch(() => undefined)) return file;
  }
  throw errors.notFound(`${path.join(folder, qrelsFolder)} holds no ${qrelsNames.join(', ')}: the judgements of the test are looked for there.`);
}

/** What answers each query, by id, for those that anything answers. */
async function readJudgements(
  file: string,
  known: Known,
  { rejections, hash, signal }: { rejections: Rejections; hash: Hash; signal: AbortSignal | undefined },
): Promise<Map<string, Map<string, number>>> {
  const relevant = new Map<string, Map<string, number>>();
  const seen = new Set<string>();
  for await (const row of file.endsWith('.tsv') ? readTsv(file, signal) : readRows(file, judgementSchema, signal)) {
    if ('reason' in row) {
      rejections.add(row);
      continue;
    }
    const { query, document, grade } = row.value;
    const key = JSON.stringify([query, document]);
    const reason = whyStrange(row.value, known) ?? (seen.has(key) ? 'judges a document for a query a second time' : undefined);
    if (reason !== undefined) {
      rejections.add({ file, line: row.line, reason });
      continue;
    }
    seen.add(key);
    hash.update(`${key} ${grade}\n`);
    if (grade < 1) continue;
    let answers = relevant.get(query);
    if (answers === undefined) relevant.set(query, (answers = new Map()));
    answers.set(document, grade);
  }
  if (relevant.size > 0) return relevant;
  const why = rejections.first(file);
  throw errors.badData(`${file} judges no document relevant${why === '' ? '' : ` (${why})`}.`);
}

function whyStrange({ query, document }: Judgement, known: Known): string | undefined {
  if (!known.queries.has(query)) return `names the query ${quoted(query)}, which is not in queries`;
  if (!known.documents.has(document)) return `names the document ${quoted(document)}, which is not in the corpus`;
  return undefined;
}

/** The lines below the heading, three columns each. */
async function* readTsv(file: string, signal: AbortSignal | undefined): AsyncGenerator<{ readonly value: Judgement; readonly line: number } | RejectedRow> {
  for await (const line of readLines(file, signal)) {
    if (line.problem !== undefined) {
      yield { file, line: line.number, reason: line.problem };
      continue;
    }
    const columns = line.text.trimEnd().split('\t');
    if (line.number === 1 && columns[0] === 'query-id') continue;
    const [query, document, score] = columns;
    if (columns.length !== 3 || !/^-?\d+$/.test(score!)) yield { file, line: line.number, reason: 'is not query-id, corpus-id and a whole score between tabs' };
    else yield { line: line.number, value: { query: query!, document: document!, grade: Number(score) } };
  }
}
