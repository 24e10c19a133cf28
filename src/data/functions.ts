import { Parser, Query, type Language, type Node, type QueryMatch } from 'web-tree-sitter';
import { CommentIndex } from './comments.ts';
import { type CodeLanguage, type Grammar, grammarOf, loadGrammar } from './grammars.ts';
import type { LanguageRules } from './languages/rules.ts';
import { languageRules } from './languages/table.ts';
import { parameterNames } from './parameters.ts';

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
  /** The source with its decorators and modifiers, without its documentation, unindented to its first line. */
  readonly code: string;
  /** Lines of the body that are not blank and not documentation; 1 where it is a mere expression. */
  readonly bodyLines: number;
  /** The names of its parameters, in order; those that are taken apart have none. */
  readonly parameters: readonly string[];
  /** The comment directly before it that documents it, or its docstring, as written. */
  readonly comment?: { readonly text: string; readonly startLine: number };
}

/** A call in a source file. */
export interface Call {
  /** The last part of what is called: "parse" for `new Parser().parse(…)`. */
  readonly name: string;
  readonly line: number;
}

/** A call with a title and a function, the way tests are written: `it('parses', () => …)`. */
export interface TitledBlock {
  readonly callee: string;
  /** As written, with its quotes. */
  readonly title: string;
  readonly startLine: number;
  readonly endLine: number;
}

/** What a source file holds. */
export interface ParsedSource {
  /** Those that have a body, in the order of their starts, nested ones included. */
  readonly functions: readonly FunctionChunk[];
  readonly calls: readonly Call[];
  readonly blocks: readonly TitledBlock[];
}

/** Some text that is no program makes the parser's error recovery, or a query over its result, quadratic. */
const GIVE_UP_AFTER_MS = 5000;
const NOTHING: ParsedSource = { functions: [], calls: [], blocks: [] };

/**
 * Finds the functions of a source file; undefined where the parser gave up after five seconds, or failed.
 *
 * @param path decides the grammar by its extension, and is handed through; a file of another kind has no functions
 */
export async function extractFunctions(source: string, path: string): Promise<readonly FunctionChunk[] | undefined> {
  return (await parseSource(source, path))?.functions;
}

/**
 * The same with the file's calls, where they are asked for.
 *
 * @param options.calls also finds calls and titled blocks
 */
export async function parseSource(source: string, path: string, options: { calls?: boolean } = {}): Promise<ParsedSource | undefined> {
  const kind = grammarOf(path);
  if (kind === undefined) return NOTHING;
  const { parser, functions, calls } = await toolsFor(kind.grammar, kind.language);
  const end = performance.now() + GIVE_UP_AFTER_MS;
  const progressCallback = (): boolean => performance.now() > end;
  try {
    const tree = parser.parse(source, null, { progressCallback });
    if (tree === null) {
      parser.reset();
      return undefined;
    }
    try {
      const found = functions.matches(tree.rootNode, { progressCallback });
      const called = options.calls ? calls.matches(tree.rootNode, { progressCallback }) : [];
      if (progressCallback()) return undefined;
      return { functions: chunksOf(found, { source, path, language: languageOf(kind.language, path, source) }), ...callsOf(called) };
    } finally {
      tree.delete();
    }
  } catch (error) {
    // A trap inside of the parser, for one where its stack is too small, or an assertion in a grammar, which asks for a
    // function that its runtime lacks: its state is not to be trusted any more.
    if (!(error instanceof WebAssembly.RuntimeError || error instanceof RangeError || error instanceof TypeError)) throw error;
    tools.delete(kind.grammar);
    return undefined;
  }
}

/** A header is C unless it says something that only C++ does. */
function languageOf(language: CodeLanguage, path: string, source: string): CodeLanguage {
  const isCpp = language === 'c' && path.endsWith('.h') && /^\s*(class|namespace|template|public:|private:|using)\b/m.test(source);
  return isCpp ? 'cpp' : language;
}

interface Tools {
  readonly parser: Parser;
  readonly functions: Query;
  readonly calls: Query;
}

/** Parsers and queries live as long as the process: they are few, and costly to make. */
const tools = new Map<Grammar, Tools>();

async function toolsFor(grammar: Grammar, language: CodeLanguage): Promise<Tools> {
  const loaded: Language = await loadGrammar(grammar);
  let found = tools.get(grammar);
  if (found === undefined) {
    const { functions, comments, calls } = languageRules[language];
    found = {
      parser: new Parser().setLanguage(loaded),
      functions: new Query(loaded, `${functions(grammar)}\n${comments}`),
      calls: new Query(loaded, calls),
    };
    tools.set(grammar, found);
  }
  return found;
}

interface SourceFile {
  readonly source: string;
  readonly path: string;
  readonly language: CodeLanguage;
}

/** What the query found at one place: with a function, or only a name for what is inside. */
interface Found {
  /** With what its declaration spells before it. */
  readonly names: readonly string[];
  readonly start: number;
  readonly end: number;
  readonly unit: Node;
  readonly declaration: Node | undefined;
}

function chunksOf(matches: readonly QueryMatch[], file: SourceFile): FunctionChunk[] {
  const rules = languageRules[file.language];
  const comments = new CommentIndex(file.source, rules.documentation);
  const found: Found[] = [];
  for (const { captures } of matches) {
    const mark = captures[0];
    if (mark?.name === 'comment' || mark?.name === 'prefix' || mark?.name === 'overload') comments.add(mark.name, mark.node);
    else found.push(toFound(captures, rules));
  }
  found.sort((a, b) => a.start - b.start || b.end - a.end);
  const around: Found[] = [];
  const chunks: FunctionChunk[] = [];
  for (const item of found) {
    while (around.length > 0 && (around.at(-1) as Found).end < item.end) around.pop();
    const names = [...around, item].flatMap((outer) => outer.names);
    around.push(item);
    const body = item.declaration?.childForFieldName('body');
    if (item.declaration && body) chunks.push(toChunk(item.unit, item.declaration, body, names, comments, file));
  }
  return chunks;
}

function toFound(captures: QueryMatch['captures'], rules: LanguageRules): Found {
  const node = (name: string): Node | undefined => captures.find((capture) => capture.name === name)?.node;
  const unit = (node('unit') ?? node('container')) as Node;
  const declaration = node('function');
  const captured = node('name')?.text ?? 'default';
  const spelled = rules.nameIn && declaration ? rules.nameIn(captured) : captured;
  const owners = (declaration && rules.owners?.(declaration, spelled)) ?? [];
  return { names: [...owners, ownName(spelled)], start: unit.startIndex, end: unit.endIndex, unit, declaration };
}

const MAX_NAME_CHARACTERS = 80;

/** `Parser.prototype.parse`, `exports.parse`, `Parser<T>` and `'parse'` are all one word; `[Symbol.iterator]` stays what it is. */
function ownName(text: string): string {
  if (text.startsWith('[') || text.startsWith('operator')) return text.slice(0, MAX_NAME_CHARACTERS);
  const plain = text.replace(/^['"]|['"]$/g, '').replace(/<[\s\S]*$/, '');
  const last = plain.split(/\.|::/).at(-1) as string;
  return last.replace(/^[&*\s]+/, '').trim().slice(0, MAX_NAME_CHARACTERS);
}

function toChunk(
  unit: Node,
  declaration: Node,
  body: Node,
  names: readonly string[],
  comments: CommentIndex,
  { source, path, language }: SourceFile,
): FunctionChunk {
  const rules = languageRules[language];
  const outer = outermost(unit, rules.wrappers);
  const first = comments.withPrefixes({ index: outer.startIndex, line: outer.startPosition.row + 1 });
  const docstring = rules.documentation === 'docstring' ? docstringOf(body) : undefined;
  const comment = docstring ? { text: docstring.text, startLine: docstring.startPosition.row + 1 } : comments.documentationBefore(first.index);
  const code = docstring ? without(source, first.index, outer.endIndex, docstring) : source.slice(first.index, outer.endIndex);
  return {
    name: names.at(-1) as string,
    qualifiedName: names.join('.'),
    language,
    path,
    startLine: first.line,
    endLine: outer.endPosition.row + 1,
    code: unindent(code, source, first.index),
    bodyLines: bodyLines(body, docstring, rules.braces),
    parameters: parameterNames(declaration, rules.parameterName),
    ...(comment && { comment }),
  };
}

/** The statement that is nothing but this function: `export const f = () => …;` */
function outermost(unit: Node, wrappers: ReadonlySet<string>): Node {
  let outer = unit;
  for (let parent = outer.parent; parent !== null && wrappers.has(parent.type); parent = outer.parent) {
    if (parent.type.endsWith('_declaration') && parent.namedChildren.filter(({ type }) => type === 'variable_declarator').length > 1) break;
    outer = parent;
  }
  return outer;
}

/** The string that is a body's first statement. */
function docstringOf(body: Node): Node | undefined {
  const first = body.firstNamedChild;
  const text = first?.type === 'expression_statement' && first.namedChildCount === 1 ? first.firstNamedChild : null;
  return text?.type === 'string' ? text : undefined;
}

/** The text between two places without a statement, and without the lines that it had for itself. */
function without(source: string, start: number, end: number, { startIndex, endIndex }: Node): string {
  const lineStart = source.lastIndexOf('\n', startIndex) + 1;
  const isOwnLine = source.slice(lineStart, startIndex).trim() === '';
  const rest = source.slice(endIndex, end);
  return source.slice(start, isOwnLine ? lineStart : startIndex) + (isOwnLine ? rest.replace(/^[^\S\n]*\n/, '') : rest);
}

function bodyLines(body: Node, docstring: Node | undefined, braces: boolean): number {
  const text = body.text;
  if (braces && !text.startsWith('{')) return 1;
  const inner = braces ? text.slice(1, -1) : text.slice((docstring?.endIndex ?? body.startIndex) - body.startIndex);
  return inner.split('\n').filter((line) => line.trim() !== '').length;
}

/** Takes the first line's indentation off the lines after it. */
function unindent(code: string, source: string, start: number): string {
  const indent = /[^\S\n]*$/.exec(source.slice(source.lastIndexOf('\n', start - 1) + 1, start))?.[0] ?? '';
  const lines = code.replaceAll('\r\n', '\n').split('\n');
  return lines.map((line, i) => (i > 0 && line.startsWith(indent) ? line.slice(indent.length) : line)).join('\n');
}

function callsOf(matches: readonly QueryMatch[]): Pick<ParsedSource, 'calls' | 'blocks'> {
  const calls: Call[] = [];
  const blocks: TitledBlock[] = [];
  for (const { captures } of matches) {
    const node = (name: string): Node | undefined => captures.find((capture) => capture.name === name)?.node;
    const call = node('call');
    const block = node('block');
    if (call !== undefined) calls.push({ name: ownName(call.text), line: call.startPosition.row + 1 });
    if (block !== undefined)
      blocks.push({
        callee: (node('callee')?.text ?? '').slice(0, MAX_NAME_CHARACTERS),
        title: node('title')?.text ?? '',
        startLine: block.startPosition.row + 1,
        endLine: block.endPosition.row + 1,
      });
  }
  return { calls, blocks };
}
