import { description } from './comment-text.ts';

const MIN_WORDS = 5;
const MAX_WORDS = 30;

/** A text that can serve as a query, or why there is none. */
export type Sentence = { readonly text: string; readonly problem?: undefined } | { readonly problem: string };

/**
 * The first sentence of a documentation comment or docstring as somebody might type it: tags, Markdown, reStructuredText
 * and HTML are stripped, and the full stop at its end. It has 5 to 30 words and is about the code, not about its licence
 * or its linter.
 *
 * @param name of the function: Go's comments and many in C start with it, which nobody would type
 */
export function firstSentence(comment: string, name = ''): Sentence {
  const text = plainText(description(comment));
  if (text === '') return { problem: 'no description' };
  if (NOT_ABOUT_CODE.test(text) || NOT_A_DESCRIPTION.test(text)) return { problem: 'comment is not about the code' };
  const sentence = withoutName(text.slice(0, sentenceEnd(text)).replace(TYPE, ''), name).replace(/[.:;,\s]+$/, '');
  const words = sentence.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word));
  if (words.length < MIN_WORDS) return { problem: `sentence under ${MIN_WORDS} words` };
  if (words.length > MAX_WORDS) return { problem: `sentence over ${MAX_WORDS} words` };
  return isProse(sentence, words) ? { text: sentence } : { problem: 'comment is code' };
}

/** Docstrings of properties start with their type: "Optional[Message]: The message that …". */
const TYPE = /^[\w.]+(?:\[[\w\s.,[\]|]*\])?:\s+(?=\p{Lu})/u;

/** What a comment says to whoever changes or calls the code, and headers of forms. */
const NOT_A_DESCRIPTION =
  /^(must (be|have|hold)|requires?\b|note\b|notice\b|see\b|same as\b|warning\b|caution\b|not thread[- ]safe|assumes?\b|pre-?conditions?\b|do not\b|don't\b|(class|method|function|signature|parameters?|author|file|name|module|returns?|input|output|usage|example)\s*:)/i;

const NOT_ABOUT_CODE =
  /copyright|licen[sc]ed? (under|:)|all rights reserved|\{?@?inherit-?doc|non-javadoc|\b(eslint|jshint|istanbul|prettier|tslint|pylint|rubocop|nolint|webpack|todo|fixme|xxx|deprecated)\b/i;

/** The first paragraph without Markdown, roles, inline tags and HTML, on one line. */
function plainText(markdown: string): string {
  const paragraph = markdown.replace(/```[\s\S]*?(```|$)/g, '').trim().split(/\n\s*\n/)[0] as string;
  return paragraph
    .replace(/\{@\w+\s+([^}|\s]+)(?:\s*\|\s*|\s+)?([^}]*)\}/g, (_, target: string, label: string) => label.trim() || target)
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/\[(`[^`\]]+`)\](?:\[[^\]]*\])?/g, '$1')
    .replace(/:[a-z]+(?::[a-z]+)*:`~?\.?([^`<]*?)(?:\s*<[^`]*>)?`/g, '$1')
    .replace(/[@\\](?:c|p|a|e|b|em|ref|link|code)\s+/g, '')
    .replace(/<\/?[a-zA-Z][^<>]*>/g, '')
    .replace(/^#+\s+/, '')
    .replace(/`+/g, '')
    .replace(/(\*\*|__)(?=\S)(.+?)(?<=\S)\1/g, '$2')
    .replace(/(?<![\w*])([*_+])(?=\S)([^*_+]+?)(?<=\S)\1(?![\w*])/g, '$2')
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&amp;/g, '&')
    .replace(/\s+/g, ' ')
    .trim();
}

/** "Parse returns …", "parse() - returns …" and "parse: returns …" are all "Returns …". */
function withoutName(sentence: string, name: string): string {
  const call = /^\w+\([^()]*\)\s*[-–—:]+\s*(?=\S)/.exec(sentence);
  if (call !== null) return capitalized(sentence.slice(call[0].length));
  if (name === '' || !sentence.toLowerCase().startsWith(name.toLowerCase())) return sentence;
  const rest = /^(?:\([^)]*\))?(\s*[-–—:]+\s*|\s+)(?=\S)/.exec(sentence.slice(name.length));
  if (rest === null) return sentence;
  // "The name is …" is about a name; a lone lower-case word may be the sentence's own verb: "parse the text".
  const isVerb = rest[1]?.trim() === '' && /^[a-z]+$/.test(name) && !/^[a-z]+s\b/.test(sentence.slice(name.length).trim());
  if (isVerb) return sentence;
  return capitalized(sentence.slice(name.length + rest[0].length));
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Whether most of it is words, and none of it a statement: code that was commented out is no sentence. */
function isProse(sentence: string, words: readonly string[]): boolean {
  if (/[{};]\s*$|[=!]==?\s|->|::.*\(|^\s*(if|for|while|return)\s*\(/.test(sentence)) return false;
  const plain = words.filter((word) => /^["'(]*[\p{L}\p{M}'’-]+[)"',.:;?!]*$/u.test(word));
  return plain.length >= words.length / 2;
}

/** Where the first sentence ends: a full stop, question or exclamation mark that another sentence follows. */
function sentenceEnd(text: string): number {
  for (const match of text.matchAll(/[.!?](?=\s+["'(\p{Lu}\p{N}])/gu)) {
    const before = text.slice(0, match.index);
    if (!/\b(e\.g|i\.e|etc|vs|cf|approx|incl|no|fig|resp)$/i.test(before)) return match.index;
  }
  return text.length;
}
