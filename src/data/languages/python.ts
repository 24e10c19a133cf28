import { NAME_FIRST, type LanguageRules } from './rules.ts';

export const python: LanguageRules = {
  functions: () => `
    (function_definition name: (_) @name) @unit @function
    (class_definition name: (_) @name) @container`,
  comments: '(comment) @comment',
  wrappers: new Set(['decorated_definition']),
  braces: false,
  documentation: 'docstring',
  parameterName: NAME_FIRST,
  calls: '(call function: [(identifier) @call (attribute attribute: (_) @call)])',
  tests: { name: /^test/ },
};
