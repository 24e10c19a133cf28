import { readFile, stat } from 'node:fs/promises';
import { errors, type L3PruneError } from '../errors.ts';
import { reason } from '../files.ts';

/** Bounds on a JSON text, checked before anything is built from it. */
export interface JsonLimits {
  readonly maxBytes: number;
  readonly maxDepth: number;
  /** Objects, arrays and members together. */
  readonly maxValues: number;
}

/** Enough for any config, index or tokenizer file; a hostile one is refused in milliseconds. */
const FILE_LIMITS: JsonLimits = { maxBytes: 256 * 2 ** 20, maxDepth: 64, maxValues: 8_000_000 };

/**
 * `JSON.parse` for files that strangers wrote: bounded depth and size, and no duplicate keys, of which `JSON.parse`
 * would silently keep the last. Throws a plain `Error` with a clause that says what is wrong.
 */
export function parseJson(text: string, limits: JsonLimits = FILE_LIMITS): unknown {
  checkStructure(text, limits);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Error('it is not valid JSON');
  }
}

/** Reads a JSON file. A byte order mark is allowed. Throws `NOT_FOUND`, or what `fail` makes of the clause. */
export async function readJson(path: string, fail: (sentence: string) => L3PruneError): Promise<unknown> {
  const bytes = await readBytes(path, fail);
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return parseJson(text);
  } catch (error) {
    const clause = error instanceof TypeError ? 'it is not UTF-8' : (error as Error).message;
    throw fail(`${path} cannot be read: ${clause}.`);
  }
}

async function readBytes(path: string, fail: (sentence: string) => L3PruneError): Promise<Uint8Array> {
  try {
    const found = await stat(path);
    if (!found.isFile()) throw fail(`${path} is not a file.`);
    if (found.size > FILE_LIMITS.maxBytes) throw fail(`${path} is larger than any such file (${found.size} bytes).`);
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw errors.notFound(`${path} cannot be read: ${reason(error)}.`, error);
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** One pass over the characters: depth, number of values, duplicate keys. Syntax is left to `JSON.parse`. */
function checkStructure(text: string, { maxDepth, maxValues }: JsonLimits): void {
  // A set for every open object, undefined for an array.
  const open: Array<Set<string> | undefined> = [];
  let values = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === QUOTE) {
      const end = endOfString(text, at);
      const keys = open.at(-1);
      if (keys && nextIsColon(text, end + 1)) {
        const key = decodeKey(text.slice(at, end + 1));
        if (keys.has(key)) throw new Error(`the key ${JSON.stringify(key.slice(0, 100))} is there twice`);
        keys.add(key);
      }
      at = end;
    } else if (char === 0x7b /* { */ || char === 0x5b /* [ */) {
      if (open.length >= maxDepth) throw new Error(`it is nested deeper than ${maxDepth} levels`);
      open.push(char === 0x7b ? new Set() : undefined);
      values++;
    } else if (char === 0x7d /* } */ || char === 0x5d /* ] */) open.pop();
    else if (char === 0x2c /* , */) values++;
    if (values > maxValues) throw new Error(`it holds more than ${maxValues} values`);
  }
}

/** Index of the closing quote of the string that opens at `start`. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === BACKSLASH) at++;
    else if (char === QUOTE) return at;
  }
  throw new Error('it is not valid JSON');
}

function nextIsColon(text: string, from: number): boolean {
  let at = from;
  while (at < text.length && text.charCodeAt(at) <= 0x20) at++;
  return text.charCodeAt(at) === 0x3a;
}

/** Two spellings of one key (`"a"` and `"\u0061"`) are the same key. */
function decodeKey(literal: string): string {
  if (!literal.includes('\\')) return literal.slice(1, -1);
  try {
    return JSON.parse(literal) as string;
  } catch {
    throw new Error('it is not valid JSON');
  }
}
