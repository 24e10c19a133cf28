import { codeWords } from '../../text/words.ts';

/** A query may be a whole file: so much of it is read. */
const mostCharacters = 100_000;
/** More words find nothing that these do not, and cost time each. */
const mostWords = 48;
/** No word that somebody is writing is longer. */
const mostEnding = 100;

/** What is sought. */
export interface ParsedQuery {
  /** What is encoded; "" where there is nothing in it. */
  readonly text: string;
  /** Different words as `codeWords` splits them, in their order. */
  readonly words: readonly string[];
  /** The last word may not be written to its end. */
  readonly isUnfinished: boolean;
  /** What is sought letter by letter, where the query looks like code or stands in quotes. */
  readonly literal: string | undefined;
}

/** Takes a query apart, whatever a person or a program hands over. */
export function parseQuery(query: string): ParsedQuery {
  const text = query.slice(0, mostCharacters).toWellFormed().replaceAll('\0', ' ').trim();
  const all = codeWords(text);
  const words = [...new Set(all)].slice(0, mostWords);
  const isUnfinished = words.length > 0 && words.at(-1) === codeWords(ending(text)).at(-1);
  return { text, words, isUnfinished, literal: literalOf(text, words.length > 0) };
}

/** The letters and digits at the end of a text, as far as a word goes. */
function ending(text: string): string {
  return /[\p{L}\p{M}\p{N}]*$/u.exec(text.slice(-mostEnding))![0];
}

/** What no question in plain words has in it. */
const CODE = /[(){}[\]\\;=<>&|+*^%$#@~`_]|::|->|\p{L}\.\p{L}|\p{Ll}\p{Lu}/u;
const leastLiteral = 3;
const mostLiteral = 200;

function literalOf(text: string, hasWords: boolean): string | undefined {
  const quoted = /^(["'`])(.*)\1$/s.exec(text)?.[2];
  const literal = quoted ?? (CODE.test(text) || !hasWords ? text : '');
  const length = Array.from(literal).length;
  return length < leastLiteral || length > mostLiteral || literal.includes('\n') ? undefined : literal;
}
