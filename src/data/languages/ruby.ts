import { NAME_FIRST, type LanguageRules } from './rules.ts';

export const ruby: LanguageRules = {
  functions: () => `
    (method name: (_) @name) @unit @function
    (singleton_method name: (_) @name) @unit @function
    [(class name: (_) @name) (module name: (_) @name)] @container`,
  comments: '(comment) @comment',
  // `private def parse` is a call whose one argument is the method.
  wrappers: new Set(['argument_list', 'call']),
  braces: false,
  // What Ruby, its linters and its editors read in comments is not for people.
  documentation: { line: /^#(?!!|\s*(-\*-|frozen_string_literal|encoding|coding|rubocop|typed|steep|sig)\b)/ },
  parameterName: NAME_FIRST,
  calls: `
    (call method: (_) @call)
    (call method: (identifier) @callee arguments: (argument_list . (_) @title) block: (_)) @block`,
  tests: { name: /^test_/ },
};
