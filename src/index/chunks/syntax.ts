import { Parser, Query, type Node, type QueryMatch } from 'web-tree-sitter';
import { type Grammar, loadGrammar } from '../../data/grammars.ts';
import { Outline } from './outline.ts';
import type { Group } from './pieces.ts';
import type { Source } from './source.ts';
import { kindOfContainer, type UnitKind, type UnitRules } from './units.ts';

/** A function, a type or something else with a name, by the node that declares it. */
export interface Unit {
  readonly kind: UnitKind;
  /** With what its declaration spells before it; none where it has none. */
  readonly names: readonly string[];
}

/** Some text that is no program makes the parser's error recovery, or a query over its result, quadratic. */
const GIVE_UP_AFTER_MS = 4000;

/** Where a source file is cut, by its syntax tree; undefined where the parser gave up, or failed. */
export async function syntaxGroups(source: Source, rules: UnitRules): Promise<Group[] | undefined> {
  const { parser, query } = await toolsFor(rules);
  const end = performance.now() + GIVE_UP_AFTER_MS;
  const progressCallback = (): boolean => performance.now() > end;
  try {
    const tree = parser.parse(source.text, null, { progressCallback });
    if (tree === null) {
      parser.reset();
      return undefined;
    }
    try {
      const matches = query.matches(tree.rootNode, { progressCallback });
      return progressCallback() ? undefined : new Outline(source, rules.wrappers, unitsOf(matches, rules)).groupsOf(tree.rootNode);
    } finally {
      tree.delete();
    }
  } catch (error) {
    // A trap inside of the parser, for one where its stack is too small or a grammar calls what its runtime lacks: its
    // state is not to be trusted any more.
    if (!(error instanceof WebAssembly.RuntimeError || error instanceof RangeError || error instanceof TypeError)) throw error;
    tools.delete(rules.grammar);
    return undefined;
  }
}

interface Tools {
  readonly parser: Parser;
  readonly query: Query;
}

/** Parsers and queries live as long as the process: they are few, and costly to make. */
const tools = new Map<Grammar, Tools>();

async function toolsFor({ grammar, query }: UnitRules): Promise<Tools> {
  const loaded = await loadGrammar(grammar);
  let found = tools.get(grammar);
  if (found === undefined) {
    found = { parser: new Parser().setLanguage(loaded), query: new Query(loaded, query) };
    tools.set(grammar, found);
  }
  return found;
}

/** The units by the ids of their nodes, with where each starts and ends. */
export type Units = ReadonlyMap<number, Unit & { readonly start: number; readonly end: number }>;

function unitsOf(matches: readonly QueryMatch[], rules: UnitRules): Units {
  const units = new Map<number, Unit & { start: number; end: number }>();
  for (const { captures } of matches) {
    const node = (name: string): Node | undefined => captures.find((capture) => capture.name === name)?.node;
    const container = node('container');
    const declaration = node('function');
    const unit = node('unit') ?? container ?? node('scope');
    if (unit === undefined || isReference(unit)) continue;
    let kind: UnitKind = 'scope';
    if (declaration !== undefined) kind = isMistaken(node('name'), rules) ? 'class' : 'function';
    else if (container !== undefined) kind = kindOfContainer(container);
    const names = namesOf(node('name'), kind === 'function' ? declaration : undefined, rules, kind);
    units.set(unit.id, { kind, names, start: unit.startIndex, end: unit.endIndex });
  }
  return units;
}

/** `struct Parser *parser` names a type and declares none. */
function isReference(node: Node): boolean {
  return /^(struct|class)_specifier$/.test(node.type) && node.childForFieldName('body') === null;
}

/** `class EXPORTED Parser {…}` is read as a function of that name without parameters, where a macro stands in it. */
function isMistaken(name: Node | undefined, rules: UnitRules): boolean {
  return name !== undefined && rules.nameIn?.(name.text) === '';
}

function namesOf(name: Node | undefined, declaration: Node | undefined, rules: UnitRules, kind: UnitKind): string[] {
  if (name === undefined) return kind === 'scope' ? [] : ['default'];
  const spelled = rules.nameIn && declaration ? rules.nameIn(name.text) : name.text;
  const owners = (declaration && rules.owners?.(declaration, spelled)) ?? [];
  return [...owners, ownName(spelled, owners.length > 0)];
}

const MOST_OF_NAME = 80;
/** What says where a function is put and not what it belongs to. */
const NO_OWNER = /^(module\.)?exports\.|^this\.|\.prototype(?=\.)/g;

/** `Parser.prototype.parse` is Parser.parse, `exports.parse`, `'parse'` and `Parser<T>` are one word; others stay as they are. */
function ownName(text: string, isOwned: boolean): string {
  const start = text.slice(0, 2 * MOST_OF_NAME);
  if (start.startsWith('[') || start.startsWith('operator')) return start.slice(0, MOST_OF_NAME);
  const plain = start.replace(/^['"]|['"]$/g, '').replace(/<[\s\S]*$/, '').replace(NO_OWNER, '').trim();
  const name = isOwned ? (plain.split('::').at(-1) as string) : plain.replaceAll('::', '.');
  return name.replace(/^[&*\s]+(?=\w)/, '').replace(/\s+/g, ' ').slice(0, MOST_OF_NAME);
}
