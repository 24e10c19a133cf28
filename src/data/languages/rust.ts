import { NAME_FIRST, type LanguageRules } from './rules.ts';

export const rust: LanguageRules = {
  functions: () => `
    (function_item name: (_) @name) @unit @function
    (impl_item type: (_) @name) @container
    (trait_item name: (_) @name) @container
    (mod_item name: (_) @name) @container
    (attribute_item) @prefix`,
  comments: '[(line_comment) (block_comment)] @comment',
  wrappers: new Set(),
  braces: true,
  documentation: { block: /^\/\*\*(?!\/)/, line: /^\/\/\/(?!\/)/ },
  parameterName: NAME_FIRST,
  // What stands in a macro, such as assert_eq!, is no syntax tree but a list of tokens.
  calls: `
    (call_expression function: [
      (identifier) @call
      (scoped_identifier name: (_) @call)
      (field_expression field: (_) @call)
      (generic_function function: [(identifier) @call (scoped_identifier name: (_) @call) (field_expression field: (_) @call)])])
    (token_tree (identifier) @call . (token_tree))`,
  tests: { mark: /#\[\s*(\w+::)*(test|bench|test_case|rstest)\b/ },
};
