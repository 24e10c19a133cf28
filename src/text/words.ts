/** Words so common in English that they say nothing about code. */
const STOP_WORDS = new Set(
  `a an and are as at be but by for from has have if in into is it its no not of on or so such that the their then
  there these they this to was were will with which when where while can may should would you your we our`.split(/\s+/),
);

/** A run of letters or of digits; identifiers fall apart at everything else, underscores included. */
const RUN = /\p{L}[\p{L}\p{M}]*|\p{N}+/gu;
/** Inside a run: "parseHTML" is parse, HTML; "HTMLParser" is HTML, Parser. */
const CAMEL = /\p{Lu}+(?!\p{Ll})|\p{Lu}?[\p{Ll}\p{M}]+|[^\p{Lu}\p{Ll}\p{M}]+/gu;

/**
 * The words of a text for lexical search in code: camelCase and snake_case are split, digits stand alone, everything is
 * lower-cased, common English words are dropped and common endings stripped. Repeats are kept, in order.
 */
export function codeWords(text: string): string[] {
  return splitWords(text).flatMap((word) => (STOP_WORDS.has(word) ? [] : [stem(word)]));
}

/** The words of a text as a person would say them: camelCase and snake_case are split, everything is lower-cased. */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  for (const [run] of text.matchAll(RUN)) {
    for (const [part] of run.matchAll(CAMEL)) words.push(part.toLowerCase());
  }
  return words;
}

const ENDINGS = ['ing', 'ed', 'es', 's', 'e'] as const;
const SHORTEST_STEM = 3;

/** Makes one word of "return", "returns", "returning" and "returned"; what is left need not be a word. */
function stem(word: string): string {
  if (word.endsWith('ss')) return word;
  const ending = ENDINGS.find((ending) => word.length - ending.length >= SHORTEST_STEM && word.endsWith(ending));
  return ending === undefined ? word : word.slice(0, -ending.length);
}
