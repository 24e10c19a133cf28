import { compilePattern, matches } from './pattern.ts';
import { countCodePoints, originalSpan, prepended, rewritten, type Piece } from './piece.ts';
import type { NormalizerSpec } from './schema.ts';

/** Rewrites a piece; a piece that needs no change is returned as it is. */
export type Normalizer = (piece: Piece) => Piece;

/** The function that tokenizer.json's `normalizer` asks for. Throws an `Error` with a clause for a bad pattern. */
export function createNormalizer(spec: NormalizerSpec): Normalizer {
  switch (spec.type) {
    case 'Sequence': {
      const all = spec.normalizers.map(createNormalizer);
      return (piece) => all.reduce((rest, normalize) => normalize(rest), piece);
    }
    case 'Prepend':
      return (piece) => (piece.text === '' ? piece : prepended(piece, spec.prepend));
    case 'Replace': {
      const pattern = compilePattern(spec.pattern);
      return (piece) => replaced(piece, pattern, spec.content);
    }
    default: {
      const form = spec.type;
      return (piece) => unicodeNormalized(piece, form);
    }
  }
}

/** New characters stand for the last of those they replace, as in Hugging Face's tokenizers. */
function replaced(piece: Piece, pattern: RegExp, content: string): Piece {
  const contentLength = countCodePoints(content);
  const sources: number[] = [];
  let text = '';
  let unit = 0;
  let point = 0;
  let lengthsKept = true;
  const keep = (end: number) => {
    text += piece.text.slice(unit, end);
    for (const last = point + countCodePoints(piece.text, unit, end); point < last; point++) sources.push(point);
    unit = end;
  };
  for (const [start, end] of matches(pattern, piece.text)) {
    keep(start);
    const length = countCodePoints(piece.text, start, end);
    lengthsKept &&= length === 1 && contentLength === 1;
    text += content;
    for (let i = 0; i < contentLength; i++) sources.push(point + length - 1);
    point += length;
    unit = end;
  }
  if (unit === 0) return piece;
  keep(piece.text.length);
  return lengthsKept ? { ...piece, text } : rewritten(piece, text, sources);
}

/** A character and the marks, vowels and final consonants after it that it may be composed with. */
const COMPOSABLE = /[^][\p{M}\u{1160}-\u{11ff}\u{d7b0}-\u{d7ff}\u{ff9e}\u{ff9f}]*/gu;

function unicodeNormalized(piece: Piece, form: string): Piece {
  const whole = piece.text.normalize(form);
  if (whole === piece.text) return piece;
  const sources: number[] = [];
  let text = '';
  let point = 0;
  for (const [run] of piece.text.matchAll(COMPOSABLE)) {
    const part = run.normalize(form);
    const before = countCodePoints(run);
    const after = countCodePoints(part);
    text += part;
    for (let i = 0; i < after; i++) sources.push(point + composedSource(i, before, after));
    point += before;
  }
  if (text === whole) return rewritten(piece, whole, sources);
  // Characters that compose over the border of two runs: the change is not located any further.
  const [start, end] = originalSpan(piece, 0, countCodePoints(piece.text));
  const characters = [...whole];
  return { text: whole, at: start, origin: { starts: characters.map(() => start), ends: characters.map(() => end) } };
}

/**
 * Which of `before` characters the i-th of `after` ones comes from: the first stands for the first (a composed é for
 * its e), marks that were left over for the last ones, and what one character was taken apart into for that one.
 */
function composedSource(i: number, before: number, after: number): number {
  return i === 0 ? 0 : Math.max(0, before - after + i);
}
