/**
 * A stretch of text on its way through the tokenizer, each of whose characters still knows where it comes from. What
 * the tokenizer changes (NFC, a prepended mark, a replaced space) keeps spans right, because the origin travels along.
 */
export interface Piece {
  readonly text: string;
  /** Where character 0 stands in the original text, in code points; used where `origin` is undefined. */
  readonly at: number;
  /** The original range of each character, where the text has been changed; undefined where character i is `at + i`. */
  readonly origin: Origin | undefined;
}

/** Per character (code point) of a changed text, the range of the original it stands for. */
export interface Origin {
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

/** Number of code points in `text[from, to)`; the text must be well-formed UTF-16. */
export function countCodePoints(text: string, from = 0, to = text.length): number {
  let count = to - from;
  for (let i = from; i < to; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0xdc00 && unit <= 0xdfff) count--;
  }
  return count;
}

/** The original range of characters `[start, end)` of a piece; an empty range is empty in the original, too. */
export function originalSpan(piece: Piece, start: number, end: number): [start: number, end: number] {
  if (!piece.origin) return [piece.at + start, piece.at + end];
  if (end <= start) return [piece.at, piece.at];
  return [piece.origin.starts[start] ?? piece.at, piece.origin.ends[end - 1] ?? piece.at];
}

/**
 * Cuts pieces out of a piece from left to right: each call gives `text[start, end)` in UTF-16 units, and no call may
 * start before the last one ended.
 */
export function slicer(piece: Piece): (start: number, end: number) => Piece {
  let unit = 0;
  let point = 0;
  return (start, end) => {
    point += countCodePoints(piece.text, unit, start);
    const length = countCodePoints(piece.text, start, end);
    const cut = cutPiece(piece, piece.text.slice(start, end), point, length);
    unit = end;
    point += length;
    return cut;
  };
}

function cutPiece(piece: Piece, text: string, point: number, length: number): Piece {
  if (!piece.origin) return { text, at: piece.at + point, origin: undefined };
  return {
    text,
    at: originalSpan(piece, point, point + 1)[0],
    origin: { starts: piece.origin.starts.slice(point, point + length), ends: piece.origin.ends.slice(point, point + length) },
  };
}

/**
 * Another text in place of a piece's own. `sources` says for each of its code points which code point of the old text
 * it comes from.
 */
export function rewritten(piece: Piece, text: string, sources: readonly number[]): Piece {
  const spans = sources.map((source) => originalSpan(piece, source, source + 1));
  return {
    text,
    at: spans[0]?.[0] ?? piece.at,
    origin: { starts: spans.map(([start]) => start), ends: spans.map(([, end]) => end) },
  };
}

/** Puts characters before a piece; they stand for its first character, as in Hugging Face's tokenizers. */
export function prepended(piece: Piece, prefix: string): Piece {
  const own = Array.from({ length: countCodePoints(piece.text) }, (_, i) => i);
  const added = Array.from({ length: countCodePoints(prefix) }, () => 0);
  return rewritten(piece, prefix + piece.text, [...added, ...own]);
}
