/**
 * What a documentation comment of any of our languages says of its function, before its block tags and sections, without
 * the marks of comments: `/** … *\/`, `//`, `///`, `#`, or the quotes of a docstring. Empty where it says nothing.
 */
export function description(comment: string): string {
  const lines = withoutMarks(comment).split(/\r?\n/).map((line) => line.trimEnd());
  const summary = /<summary>([\s\S]*?)(<\/summary>|$)/.exec(lines.join('\n'))?.[1];
  if (summary !== undefined) return lastNames(summary).trim();
  const firstTag = lines.findIndex((line) => TAG.test(line));
  const before = (firstTag < 0 ? lines : lines.slice(0, firstTag)).filter((line) => !RULE.test(line)).join('\n').trim();
  return (before === '' ? tagged(lines) : before).replace(/^(description|summary|purpose|brief)\s*:\s*/i, '');
}

/** A block tag of JSDoc, Javadoc, Doxygen, YARD or reStructuredText, or a heading of Google's docstrings. */
const TAG = /^\s*([@\\](?!(?:c|p|a|e|b|em|code|link)\b)[a-zA-Z]\w*|:[a-z]+(\s[^:]*)?:(?!`)|(Args|Arguments|Parameters|Returns|Raises|Yields|Examples?):\s*$)/;
/** A line that only draws. */
const RULE = /^\s*[-=*#~_/+]{3,}\s*$/;
const SUMMARY_TAG = /^\s*[@\\](description|desc|summary|brief|details)\b\s*/;

/** The text of the tag that describes, where there is one. */
function tagged(lines: readonly string[]): string {
  const tag = lines.findIndex((line) => SUMMARY_TAG.test(line));
  if (tag < 0) return '';
  const rest = lines.slice(tag + 1);
  const nextTag = rest.findIndex((line) => TAG.test(line));
  const first = (lines[tag] as string).replace(SUMMARY_TAG, '');
  return [first, ...(nextTag < 0 ? rest : rest.slice(0, nextTag))].join('\n').trim();
}

function withoutMarks(comment: string): string {
  if (comment.startsWith('/*'))
    return comment
      .replace(/^\/\*[*!]*<?/, '')
      .replace(/\*+\/$/, '')
      .replace(/^[^\S\n]*\*+(?!\*)[^\S\n]?/gm, '');
  if (comment.startsWith('//')) return comment.replace(/^[^\S\n]*\/\/[/!]*<?[^\S\n]?/gm, '');
  if (comment.startsWith('#')) return comment.replace(/^[^\S\n]*#+[^\S\n]?/gm, '');
  return comment.replace(/^[a-zA-Z]{0,2}("""|'''|"|')([\s\S]*?)\1?$/, '$2');
}

/** C#'s references to code by their last name: `<see cref="T:System.IO.Stream"/>` is Stream. */
function lastNames(xml: string): string {
  return xml.replace(/<(?:see|seealso|paramref|typeparamref)\s+\w+="(?:\w:)?([^"]*)"\s*(?:\/>|>([^<]*)<\/\w+>)/g, (_, target: string, label?: string) => {
    return label?.trim() || ((target.replace(/\(.*$/, '').split('.').at(-1) as string) || target);
  });
}
