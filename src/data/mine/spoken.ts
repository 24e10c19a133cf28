/** Where camelCase changes from one word to the next: "parse|HTML|Text". Digits stay with the word before them. */
const WORD_STARTS = /(?<=[\p{Ll}\p{N}])(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})/u;

/** An identifier as the words that a person would say, in lower case: "parseHTMLText" and "parse_html_text" alike. */
export function spokenWords(identifier: string): string[] {
  return identifier
    .split(/[^\p{L}\p{M}\p{N}]+/u)
    .flatMap((part) => part.split(WORD_STARTS))
    .filter((word) => word !== '')
    .map((word) => word.toLowerCase());
}
