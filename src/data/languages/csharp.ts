import { NAME_LAST, type LanguageRules } from './rules.ts';

export const csharp: LanguageRules = {
  functions: () => `
    (method_declaration name: (_) @name) @unit @function
    (constructor_declaration name: (_) @name) @unit @function
    (local_function_statement name: (_) @name) @unit @function
    [(class_declaration name: (_) @name) (struct_declaration name: (_) @name)
     (interface_declaration name: (_) @name) (record_declaration name: (_) @name)] @container`,
  comments: '(comment) @comment',
  wrappers: new Set(),
  braces: true,
  documentation: { block: /^\/\*\*(?!\/)/, line: /^\/\/\/(?!\/)/ },
  parameterName: NAME_LAST,
  calls: '(invocation_expression function: [(identifier) @call (member_access_expression name: (_) @call)])',
  tests: { mark: /\[\s*(Fact|Theory|Test|TestCase|TestMethod|DataTestMethod)\b/ },
};
