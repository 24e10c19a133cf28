import { NAME_LAST, type LanguageRules } from './rules.ts';

/** What stands before the first parenthesis of a declarator, whatever its type: `*Parser<T>::parse(…) const`. */
const FUNCTION_NAME = /((?:\w+(?:<[^()]*>)?::)*(?:operator\s*(?:\(\)|[^\w\s(]+|\w[^(]*)|~?\w+))\s*(?:<[^()]*>)?\s*\(/;
/** A name is looked for in so many characters. */
const MOST_OF_DECLARATOR = 300;

/** C and C++, both read by the grammar of C++. */
export const cFamily: LanguageRules = {
  functions: () => `
    (function_definition declarator: (_) @name) @unit @function
    [(class_specifier name: (_) @name) (struct_specifier name: (_) @name)] @container`,
  comments: '(comment) @comment',
  wrappers: new Set(['template_declaration']),
  braces: true,
  nameIn: (declarator) => {
    const name = FUNCTION_NAME.exec(declarator.slice(0, MOST_OF_DECLARATOR))?.[1] ?? '';
    return name.startsWith('operator') ? name : name.replace(/<[^<>]*>/g, '').replace(/\s+/g, ' ');
  },
  owners: (_, name) => name.split('::').slice(0, -1),
  documentation: { block: /^\/\*/, line: /^\/\// },
  parameterName: NAME_LAST,
  calls: `
    (call_expression function: [
      (identifier) @call
      (field_expression field: (_) @call)
      (qualified_identifier name: (_) @call)])
    ((expression_statement (call_expression function: (identifier) @callee arguments: (argument_list . (string_literal) @title)))
      . (compound_statement) @block)`,
  tests: {
    name: /^((TYPED_)?TEST(_[FP])?|test_\w+|\w+_test)$/,
    // GoogleTest's TEST_F(Suite, Name) looks like a function of that name.
    title: (firstLine) => /^(?:TYPED_)?TEST(?:_[FP])?\s*\(\s*(\w+)\s*,\s*(\w+)/.exec(firstLine)?.slice(1),
  },
};
