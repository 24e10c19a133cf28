import { createHash } from 'node:crypto';
import type { CodeLanguage } from './grammars.ts';

/** Where something starts and ends in a text, the end excluded. */
type Range = readonly [start: number, end: number];

/** How a language writes comments, strings and functions, as far as telling one from the other needs it. */
interface Lexicon {
  /** Comments and strings, whichever starts first; comments are the group `comment`, those of lines that follow each other one. */
  readonly token: RegExp;
  /** Where the body of a function is, in code whose comments and strings are blank. */
  readonly body: (blank: string) => Range;
  /** What documents a function at the start of its body. */
  readonly docstring?: RegExp;
}

const DOUBLE = String.raw`"(?:\\[\s\S]|[^"\\\n])*"`;
const SINGLE = String.raw`'(?:\\[\s\S]|[^'\\\n])*'`;
const CHARACTER = String.raw`'(?:\\[^'\n]*|[^'\\\n])'`;
const TRIPLE = String.raw`"""(?:\\[\s\S]|[^\\])*?"""|'''(?:\\[\s\S]|[^\\])*?'''`;
const LONG_DOUBLE = String.raw`"(?:\\[\s\S]|[^"\\])*"`;
const LONG_SINGLE = String.raw`'(?:\\[\s\S]|[^'\\])*'`;
const TEMPLATE = '`(?:\\\\[\\s\\S]|[^`\\\\])*`';
const RAW_GO = '`[^`]*`';
/** The second group of its expression: the comment is the first. */
const RAW_RUST = String.raw`\br(#*)"[\s\S]*?"\2`;
/** A regular expression stands where a value may start, which a division never does. */
const REGULAR_EXPRESSION = String.raw`(?<=(?:[(,=:[!&|?{};]|=>|(?<!\+)\+)\s?|\breturn )\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/`;
const C_COMMENT = String.raw`\/\/[^\n]*(?:\n[^\S\n]*\/\/[^\n]*)*|\/\*[\s\S]*?(?:\*\/|$)`;
const HASH_COMMENT = String.raw`#[^\n]*(?:\n[^\S\n]*#[^\n]*)*`;

const lexicon = (comment: string, strings: readonly string[], body: Lexicon['body'], docstring?: RegExp): Lexicon => ({
  token: new RegExp(`(?<comment>${comment})|${strings.join('|')}`, 'g'),
  body,
  ...(docstring && { docstring }),
});

const script = lexicon(C_COMMENT, [DOUBLE, SINGLE, TEMPLATE, REGULAR_EXPRESSION], bodyInBraces);
const typed = lexicon(C_COMMENT, [TRIPLE, DOUBLE, CHARACTER], bodyInBraces);

const lexicons: { readonly [K in CodeLanguage]: Lexicon } = {
  typescript: script,
  javascript: script,
  go: lexicon(C_COMMENT, [DOUBLE, CHARACTER, RAW_GO], bodyInBraces),
  rust: lexicon(C_COMMENT, [RAW_RUST, DOUBLE, CHARACTER], bodyInBraces),
  java: typed,
  c: typed,
  cpp: typed,
  csharp: typed,
  php: lexicon(`${C_COMMENT}|#(?!\\[)[^\\n]*`, [LONG_DOUBLE, LONG_SINGLE], bodyInBraces),
  python: lexicon(HASH_COMMENT, [TRIPLE, DOUBLE, SINGLE], bodyAfterColon, new RegExp(`^\\s*[rRuU]?(?:${TRIPLE}|${DOUBLE}|${SINGLE})[^\\S\\n]*(?:\\n|;|$)`)),
  ruby: lexicon(`(?<![$&?\\w])${HASH_COMMENT}`, [LONG_DOUBLE, SINGLE], bodyAfterDef),
};

/**
 * What two copies of a function share however they are laid out: the SHA-256 of its body, Base64. White space, comments,
 * a docstring, semicolons, commas before a closing bracket and the kind of quotes do not count; everything else does, the
 * case of identifiers included. What stands before the body (name, parameters, decorators, modifiers) does not count.
 *
 * @param code a whole function
 */
export function normalizedFunctionHash(code: string, language: CodeLanguage): string {
  return createHash('sha256').update(normalizedBody(code, language)).digest('base64');
}

/** What `normalizedFunctionHash` hashes. */
export function normalizedBody(code: string, language: CodeLanguage): string {
  const { token, body, docstring } = lexicons[language];
  const plain = code.replace(token, (found, ...rest) => (isComment(rest) ? '' : found));
  const blank = plain.replace(token, (string) => ' '.repeat(string.length));
  const [start, end] = body(blank);
  const text = plain.slice(start, end);
  return (docstring === undefined ? text : text.replace(docstring, ''))
    .replace(/[\s;]+/g, '')
    .replace(/,(?=[)\]}])/g, '')
    .replaceAll("'", '"');
}

/** Takes out the comments that the caller does not want, with the lines that they had for themselves. */
export function withoutComments(code: string, language: CodeLanguage, unwanted: (comment: string) => boolean): string {
  let isChanged = false;
  const marked = code.replace(lexicons[language].token, (found, ...rest) => {
    if (!isComment(rest) || !unwanted(found)) return found;
    isChanged = true;
    return MARK;
  });
  if (!isChanged) return code;
  return marked
    .replace(/^[^\S\n]*\0[^\S\n]*\n/gm, '')
    .replace(/^([^\S\n]*)\0[^\S\n]*/gm, '$1')
    .replace(/[^\S\n]*\0/g, '');
}

/** Stands for a comment until its line is looked at; no source file that is text holds it. */
const MARK = '\0';

/** Whether a match is a comment, by the arguments after it: a replacer gets its named groups last. */
function isComment(rest: readonly unknown[]): boolean {
  return (rest.at(-1) as { comment?: string }).comment !== undefined;
}

/** Between the braces that the code ends with; behind the first arrow where it ends otherwise. */
function bodyInBraces(blank: string): Range {
  const end = blank.replace(/[\s;,]+$/, '').length;
  if (blank[end - 1] === '}') {
    let depth = 0;
    for (let i = end - 1; i >= 0; i--) {
      if (blank[i] === '}') depth++;
      else if (blank[i] === '{' && --depth === 0) return [i + 1, end - 1];
    }
  }
  const arrow = indexOutsideOfBrackets(blank, '=>', 0);
  return arrow < 0 ? [0, end] : [arrow + 2, end];
}

/** Behind the colon of `def name(…) -> type:`. */
function bodyAfterColon(blank: string): Range {
  const colon = indexOutsideOfBrackets(blank, ':', Math.max(0, blank.search(/\bdef\b/)));
  return [colon + 1, blank.length];
}

/** Between `def name(…)` and `end`. */
function bodyAfterDef(blank: string): Range {
  const head = /\bdef\s+[^\s(;]+[^\S\n]*/.exec(blank);
  const end = blank.replace(/\bend\s*$/, '').length;
  if (head === null) return [0, end];
  const afterName = head.index + head[0].length;
  const afterHead = blank[afterName] === '(' ? indexOutsideOfBrackets(blank, ')', afterName + 1) : blank.indexOf('\n', afterName);
  return [Math.max(afterHead + 1, afterName), end];
}

/** The first place of `wanted` from `start` on that no bracket is open at; -1 where there is none. */
function indexOutsideOfBrackets(text: string, wanted: string, start: number): number {
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    if (depth <= 0 && text.startsWith(wanted, i)) return i;
    if ('([{'.includes(text[i] as string)) depth++;
    else if (')]}'.includes(text[i] as string)) depth--;
  }
  return -1;
}
