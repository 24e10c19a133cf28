import { Parser, Query, type Language, type Node, type QueryMatch } from 'web-tree-sitter';
import { type CodeLanguage, type Grammar, grammarOf, loadGrammar } from './grammars.ts';

/** A function, method or function-valued binding of a source file. Lines are 1-based, both included. */
export interface FunctionChunk {
  /** Its own name; "default" for a nameless default export. */
  readonly name: string;
  /** With the classes, namespaces, objects and functions around it: "Parser.parse". */
  readonly qualifiedName: string;
  readonly language: CodeLanguage;
  readonly path: string;
  readonly startLine: number;
  readonly endLine: number;
  /** The source with its decorators and modifiers, without its comment, unindented to its first line. */
  readonly code: string;
  /** Lines between the braces that are not blank; 1 where an arrow function has no braces. */
  readonly bodyLines: number;
  /** The `/** … *\/` directly before it. */
  readonly comment?: { readonly text: string; readonly startLine: number };
}

/** Some text that is no program makes the parser's error recovery, or a query over its result, quadratic. */
const GIVE_UP_AFTER_MS = 5000;

/**
 * Finds the functions of a source file that have a body, in the order of their starts, nested ones included; undefined
 * where the parser gave up after five seconds.
 *
 * @param path decides the grammar by its extension, and is handed through; a file of another kind has no functions
 */
export async function extractFunctions(source: string, path: string): Promise<FunctionChunk[] | undefined> {
  const found = grammarOf(path);
  if (found === undefined) return [];
  const { parser, query } = await toolsFor(found.grammar);
  const end = performance.now() + GIVE_UP_AFTER_MS;
  const progressCallback = (): boolean => performance.now() > end;
  const tree = parser.parse(source, null, { progressCallback });
  if (tree === null) {
    parser.reset();
    return undefined;
  }
  try {
    const matches = query.matches(tree.rootNode, { progressCallback });
    return progressCallback() ? undefined : chunksOf(matches, { source, path, language: found.language });
  } finally {
    tree.delete();
  }
}

interface Tools {
  readonly parser: Parser;
  readonly query: Query;
}

/** Parsers and queries live as long as the process: they are few, and costly to make. */
const tools = new Map<Grammar, Tools>();

async function toolsFor(grammar: Grammar): Promise<Tools> {
  const language = await loadGrammar(grammar);
  let found = tools.get(grammar);
  if (found === undefined) {
    found = { parser: new Parser().setLanguage(language), query: functionQuery(grammar, language) };
    tools.set(grammar, found);
  }
  return found;
}

/** `@unit` is what is cut out (before `outermost`), `@function` has the body, `@container` only lends its name. */
function functionQuery(grammar: Grammar, language: Language): Query {
  const value = '[(arrow_function) (function_expression) (generator_function)] @function';
  const [field, fieldName, classes] =
    grammar === 'javascript'
      ? ['field_definition', 'property', '(class_declaration name: (_) @name) @container']
      : [
          'public_field_definition',
          'name',
          `[(class_declaration name: (_) @name) (abstract_class_declaration name: (_) @name) (internal_module name: (_) @name)] @container`,
        ];
  return new Query(
    language,
    `(function_declaration name: (_) @name) @unit @function
     (generator_function_declaration name: (_) @name) @unit @function
     (method_definition name: (_) @name) @unit @function
     (variable_declarator name: (identifier) @name value: ${value}) @unit
     (assignment_expression left: (_) @name right: ${value}) @unit
     (pair key: (_) @name value: ${value}) @unit
     (${field} ${fieldName}: (_) @name value: ${value}) @unit
     (export_statement value: ${value}) @unit
     ${classes}
     (variable_declarator name: (identifier) @name value: [(object) (class)]) @container
     (assignment_expression left: (_) @name right: [(object) (class)]) @container`,
  );
}

/** What the query found at one place: with a function, or only a name for what is inside. */
interface Found {
  readonly name: string;
  readonly start: number;
  readonly end: number;
  readonly unit: Node;
  readonly body: Node | undefined;
}

function chunksOf(matches: readonly QueryMatch[], file: { source: string; path: string; language: CodeLanguage }): FunctionChunk[] {
  const found = matches.map(toFound).sort((a, b) => a.start - b.start || b.end - a.end);
  const around: Found[] = [];
  const chunks: FunctionChunk[] = [];
  for (const item of found) {
    while (around.length > 0 && (around.at(-1) as Found).end < item.end) around.pop();
    const names = [...around.map(({ name }) => name), item.name];
    around.push(item);
    if (item.body !== undefined) chunks.push(toChunk(item, item.body, names.join('.'), file));
  }
  return chunks;
}

function toFound({ captures }: QueryMatch): Found {
  const node = (name: string): Node | undefined => captures.find((capture) => capture.name === name)?.node;
  const unit = (node('unit') ?? node('container')) as Node;
  return {
    name: ownName(node('name')?.text ?? 'default'),
    start: unit.startIndex,
    end: unit.endIndex,
    unit,
    body: node('function')?.childForFieldName('body') ?? undefined,
  };
}

/** `Parser.prototype.parse`, `exports.parse` and `'parse'` are all parse; `[Symbol.iterator]` stays what it is. */
function ownName(text: string): string {
  if (text.startsWith('[')) return text.slice(0, 80);
  const last = text.replace(/^['"]|['"]$/g, '').split('.').at(-1) as string;
  return last.trim().slice(0, 80);
}

function toChunk(
  { name, unit }: Found,
  body: Node,
  qualifiedName: string,
  { source, path, language }: { source: string; path: string; language: CodeLanguage },
): FunctionChunk {
  const outer = outermost(unit);
  const first = firstDecorator(outer);
  const comment = documentationBefore(first, source);
  return {
    name,
    qualifiedName,
    language,
    path,
    startLine: first.startPosition.row + 1,
    endLine: outer.endPosition.row + 1,
    code: unindent(source.slice(first.startIndex, outer.endIndex), source, first.startIndex),
    bodyLines: bodyLines(body),
    ...(comment && { comment }),
  };
}

const WRAPPERS = new Set(['lexical_declaration', 'variable_declaration', 'expression_statement', 'export_statement']);

/** The statement that is nothing but this function: `export const f = () => …;` */
function outermost(unit: Node): Node {
  let outer = unit;
  for (let parent = outer.parent; parent !== null && WRAPPERS.has(parent.type); parent = outer.parent) {
    if (parent.type.endsWith('_declaration') && parent.namedChildren.filter(({ type }) => type === 'variable_declarator').length > 1) break;
    outer = parent;
  }
  return outer;
}

/** TypeScript's grammar has a method's decorators as its elder siblings. */
function firstDecorator(outer: Node): Node {
  let first = outer;
  for (let before = first.previousSibling; before?.type === 'decorator'; before = first.previousSibling) first = before;
  return first;
}

/** The documentation comment that ends on the line above, or on the same line; overloads may stand between. */
function documentationBefore(node: Node, source: string): FunctionChunk['comment'] {
  let after = node;
  let before = after.previousSibling;
  while (before !== null && isOverload(before)) {
    after = before;
    before = after.previousSibling;
  }
  if (before === null || before.type !== 'comment') return undefined;
  const text = before.text;
  const gap = source.slice(before.endIndex, after.startIndex);
  if (!text.startsWith('/**') || text.length < 5 || !/^[^\S\n]*\n?[^\S\n]*$/.test(gap)) return undefined;
  return { text, startLine: before.startPosition.row + 1 };
}

function isOverload(node: Node): boolean {
  const type = node.type === 'export_statement' ? node.childForFieldName('declaration')?.type : node.type;
  return type === 'function_signature' || type === 'method_signature';
}

function bodyLines(body: Node): number {
  if (body.type !== 'statement_block') return 1;
  return body.text
    .slice(1, -1)
    .split('\n')
    .filter((line) => line.trim() !== '').length;
}

/** Takes the first line's indentation off the lines after it. */
function unindent(code: string, source: string, start: number): string {
  const indent = /[^\S\n]*$/.exec(source.slice(source.lastIndexOf('\n', start - 1) + 1, start))?.[0] ?? '';
  const lines = code.replaceAll('\r\n', '\n').split('\n');
  return lines.map((line, i) => (i > 0 && line.startsWith(indent) ? line.slice(indent.length) : line)).join('\n');
}
