const MIN_WORDS = 5;
const MAX_WORDS = 30;

/** A sentence taken from a documentation comment, or why there is none that could serve as a query. */
export type Sentence = { readonly text: string; readonly problem?: undefined } | { readonly problem: string };

/**
 * The first sentence of a `/** … *\/` comment as somebody might type it: tags, Markdown and HTML are stripped, and the
 * full stop at its end. It has 5 to 30 words and is about the code, not about its licence or its linter.
 */
export function firstSentence(comment: string): Sentence {
  const text = plainText(description(comment));
  if (text === '') return { problem: 'no description' };
  if (NOT_ABOUT_CODE.test(text)) return { problem: 'comment is not about the code' };
  const sentence = text.slice(0, sentenceEnd(text)).replace(/[.:;,\s]+$/, '');
  const words = sentence.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word));
  if (words.length < MIN_WORDS) return { problem: `sentence under ${MIN_WORDS} words` };
  if (words.length > MAX_WORDS) return { problem: `sentence over ${MAX_WORDS} words` };
  return { text: sentence };
}

const NOT_ABOUT_CODE = /copyright|licen[sc]ed? (under|:)|all rights reserved|\b(eslint|jshint|istanbul|prettier|tslint|webpack|todo|fixme|deprecated)\b/i;

/** The text before the first block tag, or else that of `@description`; asterisks at the edge are gone. */
function description(comment: string): string {
  const lines = comment
    .replace(/^\/\*\*+/, '')
    .replace(/\*+\/$/, '')
    .split(/\r?\n/)
    .map((line) => line.replace(/^\s*\*+(?!\*)\s?/, '').trimEnd());
  const firstTag = lines.findIndex((line) => /^\s*@\w/.test(line));
  const before = (firstTag < 0 ? lines : lines.slice(0, firstTag)).join('\n').trim();
  if (before !== '') return before;
  const tag = lines.findIndex((line) => /^\s*@(description|desc|summary)\b/.test(line));
  if (tag < 0) return '';
  const rest = lines.slice(tag + 1);
  const nextTag = rest.findIndex((line) => /^\s*@\w/.test(line));
  const first = (lines[tag] as string).replace(/^\s*@\w+\s*/, '');
  return [first, ...(nextTag < 0 ? rest : rest.slice(0, nextTag))].join('\n').trim();
}

/** The first paragraph without Markdown, inline tags and HTML, on one line. */
function plainText(markdown: string): string {
  const paragraph = markdown.replace(/```[\s\S]*?(```|$)/g, '').trim().split(/\n\s*\n/)[0] as string;
  return paragraph
    .replace(/\{@\w+\s+([^}|\s]+)(?:\s*\|\s*|\s+)?([^}]*)\}/g, (_, target: string, label: string) => label.trim() || target)
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/<\/?[a-zA-Z][^<>]*>/g, '')
    .replace(/^#+\s+/, '')
    .replace(/`+/g, '')
    .replace(/(\*\*|__)(?=\S)(.+?)(?<=\S)\1/g, '$2')
    .replace(/(?<![\w*])([*_])(?=\S)([^*_]+?)(?<=\S)\1(?![\w*])/g, '$2')
    .replace(/\s+/g, ' ')
    .trim();
}

/** Where the first sentence ends: a full stop, question or exclamation mark that another sentence follows. */
function sentenceEnd(text: string): number {
  for (const match of text.matchAll(/[.!?](?=\s+["'(\p{Lu}\p{N}])/gu)) {
    const before = text.slice(0, match.index);
    if (!/\b(e\.g|i\.e|etc|vs|cf|approx|incl|no|fig|resp)$/i.test(before)) return match.index;
  }
  return text.length;
}
