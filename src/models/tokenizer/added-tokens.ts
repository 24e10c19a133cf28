import { escapePattern } from './pattern.ts';
import { slicer, type Piece } from './piece.ts';
import type { AddedTokenSpec } from './schema.ts';

/** A piece of text, and the id of the added token that it spells, where it spells one. */
export interface Section {
  readonly piece: Piece;
  readonly addedId: number | undefined;
}

/** Finds added tokens in a piece, leftmost and longest first; what lies between them is text. */
export type Sectioner = (piece: Piece) => Iterable<Section>;

/** One added token and the text by which it is found (its content, normalized or not). */
export interface AddedToken {
  readonly text: string;
  readonly spec: AddedTokenSpec;
}

/** A sectioner for these tokens; with none of them, everything is text. */
export function createSectioner(tokens: readonly AddedToken[]): Sectioner {
  const byText = new Map(tokens.filter(({ text }) => text !== '').map(({ text, spec }) => [text, spec]));
  if (byText.size === 0) return (piece) => (piece.text === '' ? [] : [{ piece, addedId: undefined }]);
  const longestFirst = [...byText.keys()].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(longestFirst.map(escapePattern).join('|'), 'gu');
  return (piece) => sections(piece, pattern, byText);
}

function* sections(piece: Piece, pattern: RegExp, byText: ReadonlyMap<string, AddedTokenSpec>): Generator<Section> {
  const { text } = piece;
  const cut = slicer(piece);
  let last = 0;
  let from = 0;
  for (;;) {
    pattern.lastIndex = from;
    const match = pattern.exec(text);
    const spec = match ? byText.get(match[0]) : undefined;
    if (!match || !spec) break;
    from = match.index + match[0].length;
    if (spec.single_word && (isWord(text, match.index - 1) || isWord(text, from))) continue;
    const start = spec.lstrip ? Math.max(last, startOfSpacesBefore(text, match.index)) : match.index;
    const end = spec.rstrip ? endOfSpacesAfter(text, from) : from;
    if (start > last) yield { piece: cut(last, start), addedId: undefined };
    yield { piece: cut(start, end), addedId: spec.id };
    last = end;
    from = end;
  }
  if (last < text.length) yield { piece: cut(last, text.length), addedId: undefined };
}

function isWord(text: string, at: number): boolean {
  return at >= 0 && at < text.length && /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]/u.test(String.fromCodePoint(text.codePointAt(at) ?? 0));
}

function startOfSpacesBefore(text: string, end: number): number {
  let start = end;
  while (start > 0 && isSpace(text, start - 1)) start--;
  return start;
}

function endOfSpacesAfter(text: string, start: number): number {
  let end = start;
  while (end < text.length && isSpace(text, end)) end++;
  return end;
}

/** Unicode's White_Space, all of whose characters are one UTF-16 unit. */
function isSpace(text: string, at: number): boolean {
  return /\p{White_Space}/u.test(text.charAt(at));
}
