import type { Node } from 'web-tree-sitter';
import type { Grammar } from '../grammars.ts';

/** Where a language has what a function says of itself: the first statement of its body, or comments before it. */
export type Documentation =
  | 'docstring'
  | {
      /** What a block comment starts with that documents. */
      readonly block?: RegExp;
      /** What each line starts with where line comments document. */
      readonly line?: RegExp;
    };

/** A function that is a test: by its name, or by a mark in what stands before its body. */
export interface TestRules {
  readonly name?: RegExp;
  readonly mark?: RegExp;
  /** What a test's groups and title are, where its name does not tell; from its first line. */
  readonly title?: (firstLine: string) => readonly string[] | undefined;
}

/** What the miner knows of a language. */
export interface LanguageRules {
  /**
   * Patterns of a tree-sitter query for each of the language's grammars. `@unit` is what is cut out and `@function` the
   * node in it that has the body and the parameters, `@name` its name, `@container` only lends its name to what is
   * inside, `@prefix` belongs to the unit that follows it, `@overload` may stand between a comment and its unit.
   */
  readonly functions: (grammar: Grammar) => string;
  /** Patterns whose captures are all comments. */
  readonly comments: string;
  /** Types of the nodes around a unit that may hold nothing but it: `export`, decorators, `template <…>`. */
  readonly wrappers: ReadonlySet<string>;
  /** Whether bodies stand between braces; one that does not is a single expression there. */
  readonly braces: boolean;
  /** The function's name where `@name` captures more than that. */
  readonly nameIn?: (captured: string) => string;
  /** The names before the function's own that its declaration itself spells: `Parser::parse`, `func (p *Parser) parse`. */
  readonly owners?: (declaration: Node, name: string) => readonly string[];
  readonly documentation: Documentation;
  /** Which part of "int count = 0" or "count: int = 0" is the name of a parameter. */
  readonly parameterName: RegExp;
  /**
   * Patterns of a tree-sitter query over tests: `@call` is the name of what is called; `@block` a call with a `@title`
   * that stands for a test or a group of tests, by its `@callee`.
   */
  readonly calls: string;
  readonly tests: TestRules;
}

/** `name`, `name: type`, `name = value`. */
export const NAME_FIRST = /^(?:(?:mut|readonly|public|private|protected)\s+)*[*&.$]*(?:mut\s+)?(\w+)/;
/** `type name`, `type name = value`, `type name[]`. */
export const NAME_LAST = /(\w+)\s*(?:\[[^\]]*\]\s*)*(?:=[\s\S]*)?$/;
