import type { Node } from 'web-tree-sitter';

/** A list of parameters that is longer belongs to no function that somebody wrote. */
const MAX_CHARACTERS = 4000;

/**
 * The names of a function's parameters.
 *
 * @param declaration a node with the field `parameters`, or a C declarator around one
 * @param pattern finds the name in one parameter, as its first group
 */
export function parameterNames(declaration: Node, pattern: RegExp): string[] {
  const text = parametersOf(declaration)?.text ?? '';
  const inner = text.slice(0, MAX_CHARACTERS).replace(/^\(([\s\S]*)\)$/, '$1');
  return splitAtCommas(inner).flatMap((parameter) => pattern.exec(parameter)?.[1] ?? []);
}

function parametersOf(declaration: Node): Node | null {
  for (let node: Node | null = declaration; node !== null; node = declaratorIn(node)) {
    const parameters = node.childForFieldName('parameters') ?? node.childForFieldName('parameter');
    if (parameters !== null) return parameters;
  }
  return null;
}

/** What C writes around: `*name(…)`; the grammar gives references no field for it. */
function declaratorIn(node: Node): Node | null {
  return node.childForFieldName('declarator') ?? (node.type === 'reference_declarator' ? node.lastNamedChild : null);
}

/** Splits at the commas that stand in no brackets. */
function splitAtCommas(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text[i] as string;
    if ('([{<'.includes(character)) depth++;
    else if (')]}>'.includes(character)) depth = Math.max(0, depth - 1);
    else if (character === ',' && depth === 0) {
      parts.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  parts.push(text.slice(start).trim());
  return parts.filter((part) => part !== '');
}
