import { errors } from '../errors.ts';
import type { Tokenizer } from '../models/types.ts';
import type { Role } from './calibration.ts';

/** A text as a caller hands it over. Instruction and text stay apart, so that nothing inside the text can pass for the border. */
export interface EncoderInput {
  readonly text: string;
  /** Attended to, never pooled. */
  readonly instruction?: string;
  /** Between instruction and text; without an instruction it is left out. */
  readonly separator?: string;
  /** What a chat template puts before the instruction; attended to, never pooled. */
  readonly prefix?: string;
  /** What a chat template puts after the text; pooled with it. */
  readonly suffix?: string;
}

/** A text with what it is in a search, where its caller says so. */
export interface RoleInput extends EncoderInput {
  readonly role?: Role;
}

/**
 * What a text is where nobody says: a query where it carries an instruction, because documents carry none, and a
 * document otherwise, as in sentence-transformers.
 */
export function roleOf({ role, instruction }: RoleInput): Role {
  return role ?? (instruction === undefined ? 'document' : 'query');
}

/** The input with an encoder's own instruction before a query that has none, and its separator. */
export function withOwnPrompt(input: RoleInput, own: { readonly instruction?: string | undefined; readonly separator: string }): EncoderInput {
  const instruction = input.instruction ?? (roleOf(input) === 'query' ? own.instruction : undefined);
  return { ...input, separator: input.separator ?? own.separator, ...(instruction === undefined ? {} : { instruction }) };
}

/** A text as the model reads it. */
export interface EncoderText {
  readonly ids: readonly number[];
  /** In Unicode code points of the whole string; tokens that the tokenizer adds have an empty span. */
  readonly spans: ReadonlyArray<readonly [start: number, end: number]>;
  /** 1 where the token counts for pooling. */
  readonly pooled: Uint8Array;
}

/**
 * Tokenizes `prefix + instruction + separator + text + suffix` once and cuts it on the right to `maxLength` tokens.
 * A token is pooled when its characters overlap the text with its suffix, also where it begins in the instruction;
 * tokens that the tokenizer adds never are.
 *
 * Errors: NOTHING_TO_POOL when no token of the text is left.
 */
export function prepareText(tokenizer: Tokenizer, input: EncoderInput, maxLength: number): EncoderText {
  const { text, instruction, prefix = '', suffix = '' } = input;
  const before = prefix + (instruction === undefined ? '' : instruction + (input.separator ?? ' '));
  const tokenized = tokenizer.tokenize(before + text + suffix, { maxTokens: maxLength });
  const ids = tokenized.ids.slice(0, maxLength);
  const spans = tokenized.spans.slice(0, maxLength);

  const start = codePoints(before);
  const pooled = Uint8Array.from(spans, ([from, to], i) => Number(tokenized.added[i] !== true && to > start && to > from));
  if (!pooled.includes(1)) {
    throw errors.nothingToPool(`The text ${quoted(text)} cannot be encoded: ${whyNothing(before, ids.length === maxLength, maxLength)}.`);
  }
  return { ids, spans, pooled };
}

function whyNothing(before: string, isFull: boolean, maxLength: number): string {
  if (!isFull) return 'it has no token to pool; leave it out';
  if (before === '') return `nothing of it is among the ${maxLength} tokens that are read; raise --max-length`;
  return `the instruction alone fills the ${maxLength} tokens that are read; shorten it or raise --max-length`;
}

function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

function quoted(text: string): string {
  const [line = ''] = text.split('\n');
  return `"${line.length > 40 ? `${line.slice(0, 40)}…` : line}"`;
}
