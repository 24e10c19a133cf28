import { SplitPreTokenizer } from '@huggingface/tokenizers';

/** What tokenizer.json calls a pattern: a string as it stands, or a regular expression in Oniguruma's syntax. */
export interface Pattern {
  readonly String?: string | undefined;
  readonly Regex?: string | undefined;
}

/** Longer than any pattern a real tokenizer has (they are below 1,000 characters). */
const MAX_PATTERN_LENGTH = 10_000;

/**
 * Where the engine's stack is too small for one match (a run of millions of letters), the match is looked for in this
 * many characters instead.
 */
const WINDOW = 1 << 20;

/**
 * The JavaScript regular expression (flags `gu`) for a pattern. Throws an `Error` with a clause that says what is wrong
 * with a pattern that has no counterpart, or whose search could take exponential time.
 */
export function compilePattern(pattern: Pattern): RegExp {
  if (pattern.String !== undefined) return new RegExp(escapePattern(pattern.String), 'gu');
  const source = pattern.Regex ?? '';
  if (source.length > MAX_PATTERN_LENGTH) throw new Error('a pattern is longer than any tokenizer needs');
  if (repeatsARepetition(source)) throw new Error(`the pattern ${JSON.stringify(source.slice(0, 80))} can take for ever`);
  try {
    const split = new SplitPreTokenizer({ type: 'Split', pattern: { Regex: source }, behavior: 'Isolated', invert: false });
    if (split.pattern) return split.pattern;
  } catch {
    // Said below.
  }
  throw new Error(`the pattern ${JSON.stringify(source.slice(0, 80))} cannot be used`);
}

/** The text with everything that means something in a regular expression escaped. */
export function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

/** Every non-empty match as a range of UTF-16 units, found one at a time. */
export function* matches(pattern: RegExp, text: string): Generator<[start: number, end: number]> {
  let from = 0;
  while (from < text.length) {
    const found = firstMatch(pattern, text, from);
    if (!found) return;
    const [start, end] = found;
    if (end > start) yield found;
    from = end > start ? end : start + ((text.codePointAt(start) ?? 0) > 0xffff ? 2 : 1);
  }
}

function firstMatch(pattern: RegExp, text: string, from: number): [number, number] | undefined {
  pattern.lastIndex = from;
  let offset = 0;
  let match: RegExpExecArray | null;
  try {
    match = pattern.exec(text);
  } catch (error) {
    if (!(error instanceof RangeError) || text.length - from <= WINDOW) throw error;
    offset = from;
    pattern.lastIndex = 0;
    match = pattern.exec(text.slice(from, from + WINDOW).toWellFormed());
  }
  return match ? [offset + match.index, offset + match.index + match[0].length] : undefined;
}

/**
 * Whether an unlimited repetition holds another one or an alternative: such a pattern, for instance `(a+)+`, makes a
 * backtracking search take exponential time on some text, and a file from a stranger could have been made to.
 */
function repeatsARepetition(source: string): boolean {
  const groups: boolean[] = [];
  const mark = () => {
    if (groups.length > 0) groups[groups.length - 1] = true;
  };
  for (let i = 0; i < source.length; i++) {
    const char = source[i];
    if (char === '\\') i++;
    else if (char === '[') i = endOfClass(source, i);
    else if (char === '(') groups.push(false);
    else if (char === '|' || isUnlimited(source, i)) mark();
    else if (char === ')' && groups.pop()) {
      if (isUnlimited(source, i + 1)) return true;
      mark();
    }
  }
  return false;
}

/** Whether a quantifier without a bound, or with a bound so high that it is the same, stands at `at`. */
function isUnlimited(source: string, at: number): boolean {
  if (source[at] === '*' || source[at] === '+') return true;
  const bounds = /^\{\d*(,?)(\d*)\}/.exec(source.slice(at, at + 24));
  if (!bounds) return false;
  return bounds[1] === ',' && (bounds[2] === '' || Number(bounds[2]) >= 100);
}

/** Index of the bracket that closes the class opened at `start`; classes nest in Oniguruma. */
function endOfClass(source: string, start: number): number {
  let depth = 0;
  for (let i = start; i < source.length; i++) {
    if (source[i] === '\\') i++;
    else if (source[i] === '[') depth++;
    else if (source[i] === ']' && --depth === 0) return i;
  }
  return source.length;
}
