import { NAME_FIRST, type LanguageRules } from './rules.ts';

export const go: LanguageRules = {
  functions: () => `
    (function_declaration name: (_) @name) @unit @function
    (method_declaration name: (_) @name) @unit @function`,
  comments: '(comment) @comment',
  wrappers: new Set(),
  braces: true,
  // A method names its type in its receiver: (p *Parser[T]).
  owners: (declaration) => {
    const receiver = declaration.childForFieldName('receiver')?.text ?? '';
    const type = /(\w+)\s*(?:\[[^\]]*\])?\s*\)$/.exec(receiver)?.[1];
    return type === undefined ? [] : [type];
  },
  // Directives such as //go:noinline are no words for people.
  documentation: { block: /^\/\*/, line: /^\/\/(?!go:|nolint|export |line )/ },
  parameterName: NAME_FIRST,
  calls: '(call_expression function: [(identifier) @call (selector_expression field: (_) @call)])',
  tests: { name: /^(Test|Fuzz|Benchmark|Example)(?![a-z])/ },
};
