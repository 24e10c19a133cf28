import { compilePattern, escapePattern, matches } from './pattern.ts';
import { prepended, slicer, type Piece } from './piece.ts';
import type { MetaspaceSpec, PreTokenizerSpec, SplitBehavior } from './schema.ts';

/** Cuts a piece into smaller ones, from left to right and only as far as they are asked for. */
type Step = (piece: Piece) => Iterable<Piece>;

/** How a section of text becomes words, which BPE then takes apart one by one. */
export interface PreTokenizer {
  readonly split: Step;
  /** Whether words are spelled in GPT-2's 256 byte characters. */
  readonly byteLevel: boolean;
}

/** GPT-2's words, as `ByteLevel` has them unless `use_regex` is false. */
const GPT2_WORDS = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;

/** What tokenizer.json's `pre_tokenizer` asks for. Throws an `Error` with a clause where it cannot be done. */
export function createPreTokenizer(spec: PreTokenizerSpec | null | undefined): PreTokenizer {
  const specs = spec ? flatten(spec) : [];
  const byteLevel = specs.findIndex(({ type }) => type === 'ByteLevel');
  if (byteLevel >= 0 && byteLevel !== specs.length - 1) throw new Error('ByteLevel is not its last pre-tokenizer');
  const steps = specs.map(createStep);
  return {
    split: steps.length === 1 && steps[0] ? steps[0] : (piece) => chain(steps, 0, piece),
    byteLevel: byteLevel >= 0,
  };
}

type SimpleSpec = Exclude<PreTokenizerSpec, { type: 'Sequence' }>;

function flatten(spec: PreTokenizerSpec): SimpleSpec[] {
  return spec.type === 'Sequence' ? spec.pretokenizers.flatMap(flatten) : [spec];
}

function* chain(steps: readonly Step[], index: number, piece: Piece): Generator<Piece> {
  const step = steps[index];
  if (!step) yield piece;
  else if (index === steps.length - 1) yield* step(piece);
  else for (const part of step(piece)) yield* chain(steps, index + 1, part);
}

function createStep(spec: SimpleSpec): Step {
  switch (spec.type) {
    case 'Split': {
      const pattern = compilePattern(spec.pattern);
      return (piece) => split(piece, pattern, spec.behavior, spec.invert);
    }
    case 'Digits': {
      const pattern = spec.individual_digits ? /\p{N}/gu : /\p{N}+/gu;
      return (piece) => split(piece, pattern, 'Isolated', false);
    }
    case 'ByteLevel': {
      const words = spec.use_regex ? compilePattern({ Regex: GPT2_WORDS }) : undefined;
      return (piece) => {
        const spaced = spec.add_prefix_space && !piece.text.startsWith(' ') ? prepended(piece, ' ') : piece;
        return words ? split(spaced, words, 'Isolated', false) : [spaced];
      };
    }
    case 'Metaspace':
      return createMetaspace(spec);
  }
}

function createMetaspace(spec: MetaspaceSpec): Step {
  const mark = spec.replacement;
  const scheme = spec.prepend_scheme ?? (spec.add_prefix_space === false ? 'never' : 'always');
  const pattern = new RegExp(escapePattern(mark), 'gu');
  return (piece) => {
    let marked: Piece = { ...piece, text: piece.text.replaceAll(' ', mark) };
    const wanted = scheme === 'always' || (scheme === 'first' && piece.at === 0);
    if (wanted && !marked.text.startsWith(mark)) marked = prepended(marked, mark);
    return spec.split ? split(marked, pattern, 'MergedWithNext', false) : [marked];
  };
}

/** A stretch of text, and whether it is one of the pattern's matches. */
type Segment = readonly [start: number, end: number, isMatch: boolean];

function* split(piece: Piece, pattern: RegExp, behavior: SplitBehavior, invert: boolean): Generator<Piece> {
  const cut = slicer(piece);
  const all = segments(pattern, piece.text, invert);
  for (const [start, end, isMatch] of behavior.startsWith('M') || behavior === 'Contiguous' ? merged(all, behavior) : all) {
    if (behavior !== 'Removed' || !isMatch) yield cut(start, end);
  }
}

function* segments(pattern: RegExp, text: string, invert: boolean): Generator<Segment> {
  let last = 0;
  for (const [start, end] of matches(pattern, text)) {
    if (start > last) yield [last, start, invert];
    yield [start, end, !invert];
    last = end;
  }
  if (last < text.length) yield [last, text.length, invert];
}

/** Joins matches to their neighbours, as the behaviours of `Split` say. */
function* merged(all: Iterable<Segment>, behavior: SplitBehavior): Generator<Segment> {
  let pending: Segment | undefined;
  for (const segment of all) {
    if (!pending) pending = segment;
    else if (belongTogether(pending, segment, behavior)) pending = [pending[0], segment[1], segment[2]];
    else {
      yield pending;
      pending = segment;
    }
  }
  if (pending) yield pending;
}

function belongTogether([, , before]: Segment, [, , after]: Segment, behavior: SplitBehavior): boolean {
  if (behavior === 'MergedWithPrevious') return after && !before;
  if (behavior === 'MergedWithNext') return before && !after;
  return before === after;
}
