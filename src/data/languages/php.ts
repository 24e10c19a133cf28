import type { LanguageRules } from './rules.ts';

export const php: LanguageRules = {
  functions: () => `
    (function_definition name: (_) @name) @unit @function
    (method_declaration name: (_) @name) @unit @function
    [(class_declaration name: (_) @name) (interface_declaration name: (_) @name)
     (trait_declaration name: (_) @name) (enum_declaration name: (_) @name)] @container`,
  comments: '(comment) @comment',
  wrappers: new Set(),
  braces: true,
  documentation: { block: /^\/\*\*(?!\/)/ },
  parameterName: /\$(\w+)/,
  calls: `
    (function_call_expression function: (name) @call)
    (member_call_expression name: (name) @call)
    (scoped_call_expression name: (name) @call)`,
  tests: { name: /^test/, mark: /#\[\s*Test\b/ },
};
