import { codeWords } from '../../text/words.ts';
import type { FunctionChunk } from '../functions.ts';
import type { Sentence } from '../sentence.ts';
import { spokenWords } from './spoken.ts';

/** Parameters that every other function has say nothing of this one. */
const COMMON_PARAMETERS = new Set(
  `self cls this ctx args kwargs rest opts options params void data value values val item obj object callback func fn
  event other result name key index request response req res context config type input output out src dst buf buffer len
  size lhs rhs that env`.split(/\s+/),
);
/** Called by a language or a framework, whatever they do. */
const COMMON_NAMES = new Set(
  `constructor init new initialize main default dispose finalize equals hash code clone drop fmt render setup teardown
  to string repr str tostring hashcode toString call invoke run apply get set handle execute process update next value copy`.split(/\s+/),
);
const MOST_PARAMETERS = 3;
const MIN_CONTENT_WORDS = 3;
const MAX_WORDS = 20;

/**
 * What a person might ask for who knows roughly what a function is called and takes: "parse url in http client given text
 * and base". The name's verb is left as it is, a question ("isClosed") becomes one, a constructor has no such query.
 */
export function nameQuery({ name, qualifiedName, parameters }: FunctionChunk): Sentence {
  const words = spokenWords(name);
  const spelledOwner = qualifiedName.split('.').at(-2) ?? '';
  if (spelledOwner === name || words.every((word) => COMMON_NAMES.has(word))) return { problem: 'name says too little' };
  const owner = spokenWords(spelledOwner).filter((word) => !words.includes(word));
  const said = new Set([...words, ...owner]);
  const taken = parameters
    .filter((parameter) => parameter.length > 2 && !COMMON_PARAMETERS.has(parameter.toLowerCase()))
    .map(spokenWords)
    .filter((parameter) => !parameter.every((word) => said.has(word)))
    .map((parameter) => parameter.join(' '))
    .slice(0, MOST_PARAMETERS);
  const text = [asked(words), ...(owner.length > 0 ? ['in', ...owner] : []), ...(taken.length > 0 ? ['given', listed(taken)] : [])].join(' ');
  const content = new Set(codeWords([...said, ...taken].join(' ')));
  const isTooLittle = content.size < MIN_CONTENT_WORDS || (words.length < 2 && owner.length === 0);
  if (isTooLittle || !/\p{L}{3}/u.test(text)) return { problem: 'name says too little' };
  return text.split(' ').length > MAX_WORDS ? { problem: `name over ${MAX_WORDS} words` } : { text };
}

/** "is closed" asks whether it is closed, "to json" converts. */
function asked(words: readonly string[]): string {
  const [first, ...rest] = words;
  if (rest.length > 0 && /^(is|has|can|should|needs|contains)$/.test(first as string)) return `check whether it ${words.join(' ')}`;
  if (rest.length > 0 && first === 'to') return `convert ${words.join(' ')}`;
  if (rest.length > 0 && first === 'on') return `handle ${rest.join(' ')}`;
  return words.join(' ');
}

function listed(items: readonly string[]): string {
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}

/** Stands for the name of a function in its code. */
const MASK = 'f';

/**
 * A function's code without its name, which would give the answer away: where it is declared, and, where the name is no
 * common word, wherever it stands.
 */
export function withoutOwnName({ name, code }: FunctionChunk): string {
  if (!/^[\w$]+$/.test(name)) return code;
  const isCommon = spokenWords(name).length < 2;
  let masked = '';
  let copied = 0;
  for (let at = code.indexOf(name); at >= 0; at = code.indexOf(name, at + name.length)) {
    const after = at + name.length;
    if (WORD.test(code[at - 1] ?? '') || WORD.test(code[after] ?? '')) continue;
    masked += code.slice(copied, at) + MASK;
    copied = after;
    if (isCommon) break;
  }
  return masked + code.slice(copied);
}

const WORD = /[\p{L}\p{N}_$]/u;
