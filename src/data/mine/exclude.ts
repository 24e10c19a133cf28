import * as z from 'zod';
import { errors } from '../../errors.ts';
import { normalizedFunctionHash } from '../code-text.ts';
import { codeLanguages, type CodeLanguage } from '../grammars.ts';
import { dataFiles } from '../lines.ts';
import { isRejected, readRows, Rejections } from '../rows.ts';

const schema = z
  .object(
    {
      code: z.string().optional(),
      positive: z.union([z.string(), z.array(z.string())], { error: 'positive is not a text' }).optional(),
      language: z.string().optional(),
    },
    { error: 'is not a JSON object' },
  )
  .refine(({ code, positive }) => code !== undefined || positive !== undefined, 'has neither code nor positive');

/** One of each way in which a language of ours is written: a function of an unknown one is hashed by all of them. */
const UNKNOWN: readonly CodeLanguage[] = ['typescript', 'java', 'go', 'rust', 'php', 'python', 'ruby'];

/**
 * The hashes (`normalizedFunctionHash`) of the functions in data files, under `code` or `positive`, by their `language`
 * where a row says it.
 *
 * @param locations `.jsonl` or `.jsonl.gz` files, or folders of them
 * @throws NOT_FOUND, BAD_DATA (not one function), CANCELLED
 */
export async function functionHashes(locations: readonly string[], signal?: AbortSignal): Promise<Set<string>> {
  const hashes = new Set<string>();
  for (const location of locations) {
    const rejections = new Rejections();
    const before = hashes.size;
    for (const file of await dataFiles(location)) {
      for await (const row of readRows(file, schema, signal)) {
        if (isRejected(row)) {
          rejections.add(row);
          continue;
        }
        const { code, positive = [], language } = row.value;
        const known = codeLanguages.find((name) => name === language?.toLowerCase());
        for (const text of [...(code === undefined ? [] : [code]), ...[positive].flat()]) {
          for (const each of known === undefined ? UNKNOWN : [known]) hashes.add(normalizedFunctionHash(text, each));
        }
      }
    }
    if (rejections.rows.length > 0)
      throw errors.badData(`${location} cannot be excluded whole, ${rejections.rows.length} of its rows are no functions: ${rejections.first()}.`);
    if (hashes.size === before) throw errors.badData(`${location} holds no function to exclude: a row has code or positive.`);
  }
  return hashes;
}
