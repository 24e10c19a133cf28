import type { BPE } from '@huggingface/tokenizers';
import type { BpeSpec } from './schema.ts';

/** A word's tokens and, for each, the characters (code points) of the word that it covers. */
export interface EncodedWord {
  readonly ids: readonly number[];
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

/** Takes a word apart; `limit` is how many of its first tokens are asked for. */
export type WordEncoder = (word: string, limit: number) => EncodedWord;

/** Words that are remembered, and the longest one that is; source code repeats most of its words. */
const CACHE_ENTRIES = 65_536;
const CACHED_LENGTH = 64;

/** Words up to this length are encoded whole whatever the limit. */
const WHOLE_LENGTH = 4096;
/** Tokens that a cut word must yield beyond the limit, because those beside the cut may be different ones. */
const CUT_MARGIN = 64;

/** GPT-2's printable character for each byte. */
const BYTE_CHARACTERS: readonly string[] = byteCharacters();

/** An encoder over the library's BPE, with a memory of words. */
export function createWordEncoder(model: BPE, spec: BpeSpec, byteLevel: boolean): WordEncoder {
  const spell = byteLevel ? createByteSpelling(model) : (word: string): Spelling => ({ text: word, sources: undefined });
  const encode = (word: string) => encodeWord(spell(word), model, spec);
  const cache = new Map<string, EncodedWord>();
  return (word, limit) => {
    if (word.length > WHOLE_LENGTH) return encodeLong(word, limit, encode);
    const known = cache.get(word);
    if (known) return known;
    const encoded = encode(word);
    if (word.length <= CACHED_LENGTH) {
      if (cache.size >= CACHE_ENTRIES) cache.clear();
      cache.set(word, encoded);
    }
    return encoded;
  };
}

/**
 * The first `limit` tokens of a word of any length (a minified line, a megabyte of one letter) from no more of it than
 * they need: BPE joins neighbours, so that a cut changes the tokens beside it alone, and those are not used.
 */
function encodeLong(word: string, limit: number, encode: (word: string) => EncodedWord): EncodedWord {
  let length = Math.max(WHOLE_LENGTH, limit * 4);
  while (length < word.length) {
    const encoded = encode(word.slice(0, length).toWellFormed());
    const count = encoded.ids.length;
    if (count >= limit + CUT_MARGIN) return encoded;
    // As long as so many tokens of the length found so far would be, and a little more.
    length = Math.ceil(Math.max(2 * length, ((limit + CUT_MARGIN) * 1.1 * length) / Math.max(count, 1)));
  }
  return encode(word);
}

/** A word as BPE spells it, and which character of the word each of BPE's characters stands for. */
interface Spelling {
  readonly text: string;
  /** Undefined where they are the same characters. */
  readonly sources: readonly number[] | undefined;
}

const utf8 = new TextEncoder();

/**
 * Spells words in byte characters. Some vocabularies lack a few (SmolLM2's has no 0x13); where there is no token for
 * unknown ones either, such bytes are left out before BPE, as in Hugging Face's tokenizers.
 */
function createByteSpelling(model: BPE): (word: string) => Spelling {
  const isKept = BYTE_CHARACTERS.map((character) => model.unk_token_id !== undefined || model.tokens_to_ids.has(character));
  return (word) => {
    const bytes = utf8.encode(word);
    const sources: number[] = [];
    let text = '';
    let character = -1;
    for (const byte of bytes) {
      if ((byte & 0xc0) !== 0x80) character++;
      if (!isKept[byte]) continue;
      text += BYTE_CHARACTERS[byte];
      sources.push(character);
    }
    return { text, sources: sources.length === character + 1 ? undefined : sources };
  };
}

function encodeWord(spelling: Spelling, model: BPE, spec: BpeSpec): EncodedWord {
  const ids: number[] = [];
  const starts: number[] = [];
  const ends: number[] = [];
  const source = (at: number) => spelling.sources?.[at] ?? at;
  let at = 0;
  const push = (id: number, end: number) => {
    ids.push(id);
    starts.push(source(at));
    ends.push(source(end - 1) + 1);
  };
  const whole = spec.ignore_merges && model.tokens_to_ids.has(spelling.text);
  let lastWasUnknown = false;
  for (const token of whole ? [spelling.text] : model.bpe(spelling.text)) {
    const end = at + [...token].length;
    const known = model.tokens_to_ids.get(token);
    const found = known === undefined ? substitutes(token, model, spec) : [known];
    if (known === undefined && lastWasUnknown && spec.fuse_unk && found.length === 1) ends[ends.length - 1] = source(end - 1) + 1;
    else for (const id of found) push(id, end);
    lastWasUnknown = known === undefined && found.length === 1 && found[0] === model.unk_token_id;
    at = end;
  }
  return { ids, starts, ends };
}

/** What stands for a token that the vocabulary lacks: its bytes, else the unknown token, else nothing. */
function substitutes(token: string, model: BPE, spec: BpeSpec): number[] {
  if (spec.byte_fallback) {
    const bytes = [...utf8.encode(token)].map((byte) => model.tokens_to_ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`));
    if (bytes.every((id) => id !== undefined)) return bytes;
  }
  return model.unk_token_id === undefined ? [] : [model.unk_token_id];
}

function byteCharacters(): string[] {
  let shifted = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(printable ? byte : shifted++);
  });
}
