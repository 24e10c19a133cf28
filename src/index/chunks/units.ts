import path from 'node:path';
import type { Node } from 'web-tree-sitter';
import { type CodeLanguage, type Grammar, grammarOf } from '../../data/grammars.ts';
import type { LanguageRules } from '../../data/languages/rules.ts';
import { languageRules } from '../../data/languages/table.ts';

/** What a unit is: an object lends its name and is no class; a scope is the file's level once more. */
export type UnitKind = 'function' | 'class' | 'interface' | 'section' | 'object' | 'scope';

/** How the units of a file are found. */
export interface UnitRules {
  readonly grammar: Grammar;
  /**
   * A tree-sitter query: `@unit` or `@function` is a function, `@container` another unit, `@name` its name, `@scope` what
   * others stand in that does not count.
   */
  readonly query: string;
  readonly wrappers: ReadonlySet<string>;
  readonly nameIn?: LanguageRules['nameIn'];
  readonly owners?: LanguageRules['owners'];
}

/** What an index cuts beside that from which functions are mined: types of all kinds. */
const TYPES: { readonly [K in CodeLanguage]: (grammar: Grammar) => string } = {
  typescript: () => `
    [(interface_declaration name: (_) @name) (enum_declaration name: (_) @name) (type_alias_declaration name: (_) @name)] @container
    (export_statement value: (class)) @container
    (module) @scope`,
  javascript: () => '(export_statement value: (class)) @container',
  python: () => '',
  go: () => '(type_spec name: (_) @name type: [(struct_type) (interface_type)]) @container',
  rust: () => `
    [(struct_item name: (_) @name) (enum_item name: (_) @name) (union_item name: (_) @name)] @container
    (macro_definition name: (_) @name) @unit @function`,
  java: () => '(annotation_type_declaration name: (_) @name) @container (compact_constructor_declaration name: (_) @name) @unit @function',
  c: cTypes,
  cpp: cTypes,
  csharp: () => `
    (enum_declaration name: (_) @name) @container
    [(property_declaration name: (_) @name) (destructor_declaration name: (_) @name)] @unit @function
    (namespace_declaration) @scope`,
  ruby: () => '(singleton_class) @scope',
  php: () => '(namespace_definition body: (_)) @scope',
};

function cTypes(): string {
  return `
    [(enum_specifier name: (_) @name body: (_)) (union_specifier name: (_) @name body: (_))] @container
    (type_definition type: [(struct_specifier) (union_specifier) (enum_specifier)] declarator: (type_identifier) @name) @container
    (namespace_definition name: (_) @name) @container
    (namespace_definition !name) @scope
    [(preproc_ifdef) (preproc_if) (preproc_else) (linkage_specification)] @scope`;
}

/** Statements that hold nothing but a unit, beside those that the miner knows. */
const WRAPPERS: Partial<Record<CodeLanguage, readonly string[]>> = { typescript: ['ambient_declaration'], go: ['type_declaration'] };

/** Languages that are cut and nothing is mined from. */
const MORE_LANGUAGES: readonly (UnitRules & { readonly extensions: readonly string[] })[] = [
  { grammar: 'bash', extensions: ['sh', 'bash', 'bats'], query: '(function_definition name: (_) @name) @unit @function', wrappers: new Set() },
  { grammar: 'css', extensions: ['css'], query: '(media_statement) @scope', wrappers: new Set() },
  { grammar: 'ini', extensions: ['ini', 'cfg', 'editorconfig', 'gitconfig'], query: '(section (section_name (text) @name)) @container', wrappers: new Set() },
  {
    grammar: 'powershell',
    extensions: ['ps1', 'psm1', 'psd1'],
    query: `
      (function_statement (function_name) @name) @unit @function
      (class_method_definition (simple_name) @name) @unit @function
      [(class_statement . (simple_name) @name) (enum_statement . (simple_name) @name)] @container
      (program (statement_list) @scope)`,
    wrappers: new Set(),
  },
];

const MORE = new Map<string, UnitRules>(MORE_LANGUAGES.flatMap(({ extensions, ...rules }) => extensions.map((extension) => [`.${extension}`, rules] as const)));

/** How the units of a file are found, by its name; undefined where no grammar reads it. */
export function unitRulesOf(file: string): UnitRules | undefined {
  const extension = path.extname(file).toLowerCase();
  const more = MORE.get(extension) ?? MORE.get(path.basename(file).toLowerCase());
  if (more !== undefined) return more;
  // A stub of Python's is read as Python; the miner leaves it, as no function of it has a body.
  const kind = grammarOf(extension === '.pyi' ? 'stub.py' : file);
  return kind && mined(kind.language, kind.grammar);
}

const known = new Map<string, UnitRules>();

function mined(language: CodeLanguage, grammar: Grammar): UnitRules {
  const key = `${language} ${grammar}`;
  let rules = known.get(key);
  if (rules === undefined) {
    const { functions, wrappers, nameIn, owners } = languageRules[language];
    rules = {
      grammar,
      query: `${functions(grammar)}\n${TYPES[language](grammar)}`,
      wrappers: new Set([...wrappers, ...(WRAPPERS[language] ?? [])]),
      ...(nameIn && { nameIn }),
      ...(owners && { owners }),
    };
    known.set(key, rules);
  }
  return rules;
}

/** What a container is, by the type of its node; types of all grammars, as they have few words for it. */
export function kindOfContainer(node: Node): UnitKind {
  const type = node.type === 'type_spec' ? (node.childForFieldName('type')?.type ?? '') : node.type;
  if (type === 'section') return 'section';
  if (/interface|trait|type_alias|annotation_type/.test(type)) return 'interface';
  if (/^(internal_module|namespace_definition|mod_item)$/.test(type)) return 'scope';
  // A module of Ruby's is what a class is, or a place for classes.
  if (type === 'module') return node.childForFieldName('body')?.namedChildren.some((child) => child?.type === 'class' || child?.type === 'module') ? 'scope' : 'class';
  if (/class|struct|enum|union|record|impl_item|type_definition|export_statement/.test(type)) return 'class';
  const value = node.childForFieldName('value') ?? node.childForFieldName('right');
  return value?.type === 'class' ? 'class' : 'object';
}
