import { NAME_LAST, type LanguageRules } from './rules.ts';

export const java: LanguageRules = {
  functions: () => `
    (method_declaration name: (_) @name) @unit @function
    (constructor_declaration name: (_) @name) @unit @function
    [(class_declaration name: (_) @name) (interface_declaration name: (_) @name)
     (enum_declaration name: (_) @name) (record_declaration name: (_) @name)] @container`,
  comments: '[(line_comment) (block_comment)] @comment',
  wrappers: new Set(),
  braces: true,
  documentation: { block: /^\/\*\*(?!\/)/ },
  parameterName: NAME_LAST,
  calls: '(method_invocation name: (_) @call)',
  tests: { mark: /@(Test|ParameterizedTest|RepeatedTest)\b/ },
};
