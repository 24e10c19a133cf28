import { NAME_FIRST, type LanguageRules } from './rules.ts';

const VALUE = '[(arrow_function) (function_expression) (generator_function)] @function';

/** TypeScript and JavaScript: declarations, methods, and functions that are bound to a name. */
export const script: LanguageRules = {
  functions: (grammar) => {
    const [field, fieldName] = grammar === 'javascript' ? ['field_definition', 'property'] : ['public_field_definition', 'name'];
    const typescript = `
      [(abstract_class_declaration name: (_) @name) (internal_module name: (_) @name)] @container
      [(function_signature) (method_signature)] @overload
      (export_statement declaration: (function_signature)) @overload
      (decorator) @prefix`;
    return `
      (function_declaration name: (_) @name) @unit @function
      (generator_function_declaration name: (_) @name) @unit @function
      (method_definition name: (_) @name) @unit @function
      (variable_declarator name: (identifier) @name value: ${VALUE}) @unit
      (assignment_expression left: (_) @name right: ${VALUE}) @unit
      (pair key: (_) @name value: ${VALUE}) @unit
      (${field} ${fieldName}: (_) @name value: ${VALUE}) @unit
      (export_statement value: ${VALUE}) @unit
      (class_declaration name: (_) @name) @container
      (variable_declarator name: (identifier) @name value: [(object) (class)]) @container
      (assignment_expression left: (_) @name right: [(object) (class)]) @container
      ${grammar === 'javascript' ? '' : typescript}`;
  },
  comments: '(comment) @comment',
  wrappers: new Set(['lexical_declaration', 'variable_declaration', 'expression_statement', 'export_statement']),
  braces: true,
  documentation: { block: /^\/\*\*(?!\/)/ },
  parameterName: NAME_FIRST,
  calls: `
    (call_expression function: [(identifier) @call (member_expression property: (_) @call)])
    (new_expression constructor: (identifier) @call)
    (call_expression function: (_) @callee
      arguments: (arguments . [(string) (template_string)] @title [(arrow_function) (function_expression)])) @block`,
  tests: {},
};
