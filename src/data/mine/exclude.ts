import { readdir } from 'node:fs/promises';
import * as z from 'zod';
import { errors } from '../../errors.ts';
import { normalizedFunctionHash } from '../code-text.ts';
import { codeLanguages, type CodeLanguage } from '../grammars.ts';
import { DATA_FILE, dataFiles } from '../lines.ts';
import { isRejected, readRows, Rejections } from '../rows.ts';
import { readSource } from '../sources.ts';
import { Skipped, walkSources } from '../walk.ts';

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
 * The hashes (`normalizedFunctionHash`) of functions that are kept apart to measure with: of data files those under `code`
 * or `positive`, by their `language` where a row says it; of source code all.
 *
 * @param locations `.jsonl` or `.jsonl.gz` files, folders of them, or folders of source files
 * @throws NOT_FOUND, BAD_DATA (not one function, or rows that are none), CANCELLED
 */
export async function functionHashes(locations: readonly string[], signal?: AbortSignal): Promise<Set<string>> {
  const hashes = new Set<string>();
  for (const location of locations) {
    const rejections = new Rejections();
    const before = hashes.size;
    const files = (await holdsSources(location)) ? [] : await dataFiles(location);
    if (files.length === 0) await addSources(location, hashes, signal);
    for (const file of files) {
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
    if (hashes.size === before) throw errors.badData(`${location} holds no function to exclude: name data whose rows have code or positive, or a folder of source files.`);
  }
  return hashes;
}

/** Whether a path is a folder without data files of its own. */
async function holdsSources(location: string): Promise<boolean> {
  const names = await readdir(location).catch(() => undefined);
  return names !== undefined && !names.some((name) => DATA_FILE.test(name));
}

async function addSources(folder: string, hashes: Set<string>, signal: AbortSignal | undefined): Promise<void> {
  for await (const file of walkSources(folder, { gitignore: false, skipped: new Skipped(), signal })) {
    const read = await readSource(file, file);
    if (read.problem === undefined) for (const { code, language } of read.functions) hashes.add(normalizedFunctionHash(code, language));
  }
}
