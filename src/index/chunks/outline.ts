import type { Node } from 'web-tree-sitter';
import { fits, type Group, type Label, MOST_LINES, type Part, TARGET_SIZE } from './pieces.ts';
import type { Source } from './source.ts';
import type { Unit, Units } from './syntax.ts';

/** A class up to here is found as a whole: its methods say what it is for. About 2,000 characters as written. */
const WHOLE_CLASS_SIZE = 1500;
const WHOLE_CLASS_LINES = 40;
/** A getter, a one-line helper: what has fewer lines stands in a chunk with its neighbours. */
const FEWEST_LINES = 3;
/** A function within a long one that is smaller is only a statement of it. */
const INNER_FUNCTION_SIZE = TARGET_SIZE / 2;
/** No program nests so deep; text that is none may exhaust the stack. */
const DEEPEST = 200;

/** What the parts between units belong to: the file, a class, a long function. */
interface Owner {
  readonly label: Label;
  readonly names: readonly string[];
  readonly kind: Unit['kind'];
}

interface Found {
  readonly unit: Unit;
  /** The node that declares it, which a statement may wrap. */
  readonly node: Node;
}

/** Nodes between a unit and its body. */
const HOLDS_BODY: ReadonlySet<string> = new Set(['class', 'object', 'enum_body', 'struct_specifier', 'union_specifier']);

const FILE: Owner = { label: { kind: 'block', symbol: '' }, names: [], kind: 'scope' };

/** Finds where a syntax tree is cut. Only what is too large to be a part is looked into. */
export class Outline {
  readonly #source: Source;
  readonly #wrappers: ReadonlySet<string>;
  readonly #units: Units;
  /** Where units that may stand alone start, in order. */
  readonly #starts: Float64Array;
  readonly #groups: { label: Label; parts: Part[]; owner: Owner }[] = [];
  #last = -1;

  constructor(source: Source, wrappers: ReadonlySet<string>, units: Units) {
    this.#source = source;
    this.#wrappers = wrappers;
    this.#units = units;
    const alone = [...units.values()].filter(({ kind, start, end }) => kind !== 'scope' && source.lineCount(start, end) >= FEWEST_LINES);
    this.#starts = Float64Array.from(alone, ({ start }) => start).sort();
  }

  groupsOf(root: Node): Group[] {
    this.#children(root, FILE, 0);
    // What no node begins with, and all there is where the tree has none.
    return [{ label: FILE.label, parts: [{ start: 0, depth: 0 }] }, ...this.#groups];
  }

  /**
   * Cuts between the children of a node; comments, decorators and overloads before one are its own.
   *
   * @param isUnit whether the node is a unit, whose body is looked into however small it is
   */
  #children(node: Node, owner: Owner, depth: number, isUnit = false): void {
    const children = node.children.filter((child) => child !== null && child.endIndex > child.startIndex) as Node[];
    let lead: { start: number; end: number } | undefined;
    const flush = (): void => {
      if (lead !== undefined) this.#part(lead.start, depth, owner, { leads: true });
      lead = undefined;
    };
    let signatures = { end: 0, areOverloads: false };
    for (const [i, child] of children.entries()) {
      // Braces, commas and keywords stay with what is before them.
      if (!child.isNamed) continue;
      const start = child.startIndex;
      if (lead !== undefined && this.#isApart(lead.end, start)) flush();
      if (i >= signatures.end && isSignature(child)) signatures = this.#endOfSignatures(children, i);
      if (isLead(child) || (i < signatures.end && signatures.areOverloads)) {
        if (lead !== undefined || this.#source.startsLine(start)) lead = { start: lead?.start ?? start, end: this.#source.endBefore(child.endIndex) };
        continue;
      }
      this.#visit(child, lead?.start ?? start, owner, depth, isUnit);
      lead = undefined;
    }
    flush();
  }

  /** Whether an empty line stands between what ends and what starts. */
  #isApart(end: number, start: number): boolean {
    return this.#source.lineAt(start) - this.#source.lineAt(end - 1) > 1;
  }

  /** Where a row of signatures ends, and whether a function follows whose overloads they are. */
  #endOfSignatures(children: readonly Node[], from: number): { end: number; areOverloads: boolean } {
    let end = from;
    while (end < children.length && (!(children[end] as Node).isNamed || isSignature(children[end] as Node) || isLead(children[end] as Node))) end++;
    const next = children[end];
    return { end, areOverloads: next !== undefined && this.#unitOf(next)?.unit.kind === 'function' };
  }

  #visit(node: Node, start: number, owner: Owner, depth: number, isBody: boolean): void {
    const found = this.#source.startsLine(start) ? this.#unitOf(node) : undefined;
    if (found !== undefined) {
      this.#visitUnit(found, start, node.endIndex, owner, depth);
      return;
    }
    this.#part(start, depth, owner);
    if (depth > DEEPEST || this.#isStatement(node, isBody)) return;
    this.#part(node.startIndex, depth + 1, owner);
    this.#children(node, owner, depth + 1, isBody && HOLDS_BODY.has(node.type));
  }

  #visitUnit({ unit, node }: Found, start: number, end: number, owner: Owner, depth: number): void {
    const inner = ownerOf(unit, owner);
    const isInner = owner.kind === 'function' && this.#source.size(start, end) < INNER_FUNCTION_SIZE;
    if (unit.kind !== 'scope' && (isInner || this.#source.lineCount(start, end) < FEWEST_LINES)) {
      this.#part(start, depth, owner, { label: inner.label });
      return;
    }
    if (depth > DEEPEST || this.#isWhole(unit, start, node)) {
      this.#part(start, depth, inner, { label: inner.label, isUnit: true });
      return;
    }
    // The head of a namespace is no more than a heading of what is in it.
    this.#part(start, depth, inner, { leads: unit.kind === 'scope' });
    this.#part(node.startIndex, depth + 1, inner);
    this.#children(node, inner, depth + 1, true);
  }

  /** Whether what is no unit is one part. */
  #isStatement({ startIndex, endIndex }: Node, isBody: boolean): boolean {
    const size = this.#source.size(startIndex, endIndex);
    const lines = this.#source.lineCount(startIndex, endIndex);
    if (lines === 1) return true;
    if (size > TARGET_SIZE || lines > MOST_LINES) return false;
    return (!isBody && lines <= WHOLE_CLASS_LINES) || !this.#holdsUnits(startIndex, endIndex);
  }

  #isWhole({ kind }: Unit, start: number, { startIndex, endIndex }: Node): boolean {
    if (kind === 'scope') return false;
    if (kind === 'function' || !this.#holdsUnits(startIndex + 1, endIndex)) return fits(start, endIndex, this.#source);
    return this.#source.size(start, endIndex) <= WHOLE_CLASS_SIZE && this.#source.lineCount(start, endIndex) <= WHOLE_CLASS_LINES;
  }

  #holdsUnits(start: number, end: number): boolean {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#starts[middle] as number) < start) low = middle + 1;
      else high = middle;
    }
    return (this.#starts[low] ?? Infinity) < end;
  }

  /** What a statement declares, if that is one unit and nothing else: `export const parse = () => …`. */
  #unitOf(node: Node): Found | undefined {
    const unit = this.#units.get(node.id);
    if (unit !== undefined) return { unit, node };
    if (!this.#wrappers.has(node.type)) return undefined;
    const children = node.namedChildren.filter((child) => child !== null && !isLead(child)) as Node[];
    const found = children.flatMap((child) => this.#unitOf(child) ?? []);
    const isList = children.filter(({ type }) => type === 'variable_declarator' || type === 'type_spec').length > 1;
    return found.length === 1 && !isList ? found[0] : undefined;
  }

  /** Lets a chunk begin at a place, where that is the first thing in its line. The innermost owner of a place has it. */
  #part(start: number, depth: number, owner: Owner, what: Omit<Part, 'start' | 'depth'> = {}): void {
    let open = this.#groups.at(-1);
    if (start < this.#last || !this.#source.startsLine(start) || (start === this.#last && open?.owner === owner)) return;
    if (start === this.#last && open !== undefined) {
      open.parts.pop();
      if (open.parts.length === 0) this.#groups.pop();
      open = this.#groups.at(-1);
    }
    this.#last = start;
    const part = { start, depth, ...what };
    if (open?.owner === owner) open.parts.push(part);
    else this.#groups.push({ label: owner.label, parts: [part], owner });
  }
}

const isLead = ({ type }: Node): boolean => type.includes('comment') || type === 'decorator' || type === 'attribute_item';

const isSignature = (node: Node): boolean =>
  /^(function|method)_signature$/.test(node.type) || (node.type === 'export_statement' && node.childForFieldName('declaration')?.type === 'function_signature');

function ownerOf({ kind, names }: Unit, outer: Owner): Owner {
  const all = [...outer.names, ...names];
  const symbol = all.join('.');
  switch (kind) {
    case 'scope':
    case 'object':
      return { label: { kind: 'block', symbol }, names: all, kind };
    case 'function': {
      const isMethod = outer.kind === 'class' || outer.kind === 'interface' || names.length > 1;
      return { label: { kind: isMethod ? 'method' : 'function', symbol }, names: all, kind };
    }
    default:
      return { label: { kind, symbol }, names: all, kind };
  }
}
