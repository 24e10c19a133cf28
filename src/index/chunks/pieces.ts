import type { Source } from './source.ts';
import type { ChunkKind } from './types.ts';

// An encoder reads 256 tokens of a chunk: about 1,000 characters of code, of which a quarter is white space. Sizes are
// counted without it, so that code that stands deep in a class is not cut sooner than the same code at its margin.

/** What stretches without units are cut to, about 1,200 characters as written: little more than an encoder reads at once. */
export const TARGET_SIZE = 900;
/** No chunk holds more: about 2,400 characters as written. A unit up to here is found, and shown, as one. */
export const MOST_SIZE = 1800;
/** What is longer on a screen is cut, however little stands in its lines. */
export const MOST_LINES = 80;
/** The end of a long body that is smaller goes with what is before it: too few words to be told apart by. */
const FEW = 225;
/** What is smaller says nothing by itself: `public:`, `return inner`; and, where it is no function's, a lone import. */
const TINY = 24;
const TINY_BLOCK = 40;

export interface Label {
  readonly kind: ChunkKind;
  readonly symbol: string;
}

/** A place where a chunk may begin. What is cut apart there ends where the next part starts. */
export interface Part {
  readonly start: number;
  /** How deep in the structure of the file it is: it is cut at shallow places rather than at deep ones. */
  readonly depth: number;
  /** What it is, where it is something by itself. */
  readonly label?: Label;
  /** It is to be found under its name, however little it holds. */
  readonly isUnit?: boolean;
  /** Words about what follows: a comment, a heading. */
  readonly leads?: boolean;
}

/** Parts that may stand in a chunk together, and what that is called. */
export interface Group {
  readonly label: Label;
  readonly parts: readonly Part[];
}

export interface Piece extends Label {
  readonly start: number;
  readonly end: number;
}

interface Run extends Part {
  readonly end: number;
}

interface Draft extends Piece {
  readonly leads: boolean;
  readonly isUnit: boolean;
}

/** Makes pieces of at most `MOST_SIZE` of the groups of a file, in order; together they hold all that is written. */
export function toPieces(groups: readonly Group[], source: Source): Piece[] {
  const drafts = groups.flatMap(({ label, parts }, i) => {
    const end = groups[i + 1]?.parts[0]?.start ?? source.text.length;
    return pack(runsOf(parts, end, source), label, source);
  });
  return attach(drafts, source).map(({ start, end, kind, symbol }) => ({ start: source.skipSpace(start), end: source.endBefore(end), kind, symbol }));
}

/** The stretches between places, without those where nothing is written; what is too large is cut at its lines. */
function runsOf(parts: readonly Part[], end: number, source: Source): Run[] {
  return parts.flatMap((part, i) => {
    const run = { ...part, end: parts[i + 1]?.start ?? end };
    const size = source.size(run.start, run.end);
    if (size === 0) return [];
    return size <= MOST_SIZE ? [run] : linesOf(run, source);
  });
}

function linesOf(run: Run, source: Source): Run[] {
  const runs: Run[] = [];
  const last = source.lineAt(run.end - 1);
  for (let line = source.lineAt(run.start); line <= last; line++) {
    const start = Math.max(run.start, source.lineStart(line));
    const end = Math.min(run.end, source.lineStart(line + 1));
    if (source.size(start, end) > 0) runs.push(...charactersOf({ ...run, start, end, depth: run.depth + 1 + source.indentation(line) }, source));
  }
  return runs;
}

/** A line that is longer than a chunk is cut where it may be: between words where it has some, never in a character. */
function charactersOf(run: Run, source: Source): Run[] {
  const runs: Run[] = [];
  let { start } = run;
  while (source.size(start, run.end) > MOST_SIZE) {
    const end = borderBefore(source.reach(start, run.end, TARGET_SIZE), source.text);
    runs.push({ ...run, start, end });
    start = end;
  }
  runs.push({ ...run, start });
  return runs;
}

const LONGEST_WORD = 40;

function borderBefore(index: number, text: string): number {
  const tail = /[^\w\uD800-\uDFFF](?=\w*$)/.exec(text.slice(index - LONGEST_WORD, index));
  if (tail !== null) return index - LONGEST_WORD + tail.index + 1;
  const isInCharacter = /[\uDC00-\uDFFF]/.test(text[index] ?? '') && /[\uD800-\uDBFF]/.test(text[index - 1] ?? '');
  return isInCharacter ? index - 1 : index;
}

/** Joins runs up to the target, and cuts between them where the structure is shallowest. */
function pack(runs: readonly Run[], label: Label, source: Source): Draft[] {
  const size = (from: number, to: number): number => source.size((runs[from] as Run).start, (runs[to - 1] as Run).end);
  const drafts: Draft[] = [];
  const isWhole = label.kind !== 'block' && runs.length > 0 && fits((runs[0] as Run).start, (runs.at(-1) as Run).end, source);
  const most = isWhole ? MOST_SIZE : TARGET_SIZE;
  for (let from = 0; from < runs.length; ) {
    let to = from + 1;
    while (to < runs.length && (size(from, to + 1) <= most || (size(from, to) < FEW && size(from, to + 1) <= MOST_SIZE))) to++;
    if (to < runs.length) to = shallowest(runs, from, to, size);
    else if (drafts.length > 0 && size(from, to) < FEW) {
      const before = drafts.at(-1) as Draft;
      if (source.size(before.start, (runs[to - 1] as Run).end) <= MOST_SIZE) {
        drafts[drafts.length - 1] = { ...before, end: (runs[to - 1] as Run).end, ...label };
        break;
      }
    }
    const joined = runs.slice(from, to);
    const own = joined.find((run) => run.label !== undefined)?.label;
    const isOne = own !== undefined && joined.every((run) => run.label === own || run.leads === true);
    drafts.push({
      ...(isOne ? own : label),
      start: (joined[0] as Run).start,
      end: (joined.at(-1) as Run).end,
      leads: joined.every((run) => run.leads === true),
      isUnit: joined.some((run) => run.isUnit === true),
    });
    from = to;
  }
  return drafts;
}

/** Whether a unit is short enough to be one chunk. */
export function fits(start: number, end: number, source: Source): boolean {
  return source.size(start, end) <= MOST_SIZE && source.lineCount(source.skipSpace(start), source.endBefore(end)) <= MOST_LINES;
}

function shallowest(runs: readonly Run[], from: number, to: number, size: (from: number, to: number) => number): number {
  let best = to;
  for (let at = to - 1; at > from && size(from, at) >= TARGET_SIZE / 2; at--) {
    if ((runs[at] as Run).depth < (runs[best] as Run).depth) best = at;
  }
  return best;
}

/** What says nothing by itself goes with what it leads, or else with what it follows. */
function attach(drafts: readonly Draft[], source: Source): Draft[] {
  const kept: Draft[] = [];
  let carried: Draft | undefined;
  for (const [i, draft] of drafts.entries()) {
    const joined: Draft = carried === undefined ? draft : { ...draft, start: carried.start };
    carried = undefined;
    const next = drafts[i + 1];
    const before = kept.at(-1);
    const size = source.size(joined.start, joined.end);
    const leads = !draft.isUnit && size < (draft.leads ? FEW : isFunction(draft) ? TINY : TINY_BLOCK);
    const follows = !draft.isUnit && size < (draft.leads ? FEW : TINY);
    if (leads && next !== undefined && isIn(next.symbol, draft.symbol) && source.size(joined.start, next.end) <= MOST_SIZE) carried = joined;
    else if (follows && before !== undefined && source.size(before.start, joined.end) <= MOST_SIZE) kept[kept.length - 1] = { ...before, end: joined.end };
    else kept.push(joined);
  }
  return kept;
}

const isFunction = ({ kind }: Label): boolean => kind === 'function' || kind === 'method';

function isIn(symbol: string, outer: string): boolean {
  return outer === '' || (symbol.startsWith(outer) && /^($|\.| > )/.test(symbol.slice(outer.length)));
}
