import { join } from 'node:path';
import { BPE } from '@huggingface/tokenizers';
import type * as z from 'zod';
import { errors } from '../errors.ts';
import { readJson } from './json.ts';
import { createSectioner, type AddedToken, type Sectioner } from './tokenizer/added-tokens.ts';
import { createNormalizer, type Normalizer } from './tokenizer/normalize.ts';
import { countCodePoints, originalSpan, type Piece } from './tokenizer/piece.ts';
import { createPreTokenizer, type PreTokenizer } from './tokenizer/pre-tokenize.ts';
import {
  tokenizerJson,
  unsupportedPart,
  type BpeSpec,
  type PostProcessorSpec,
  type TokenizerSpec,
} from './tokenizer/schema.ts';
import { createWordEncoder, type WordEncoder } from './tokenizer/words.ts';
import type { TokenizedText, TokenizeOptions, Tokenizer } from './types.ts';

/**
 * Opens `tokenizer.json` in a checkpoint folder: byte-pair encoding, byte-level or with byte fallback, which is what
 * decoder models have. The regular expressions and BPE itself are `@huggingface/tokenizers`'; that library gives no
 * character spans, so the steps between them are ours and carry every character's origin.
 * Throws `BAD_TOKENIZER`, `UNSUPPORTED` for a part that only other kinds of model have, or `NOT_FOUND`.
 */
export async function openTokenizer(directory: string): Promise<Tokenizer> {
  const path = join(directory, 'tokenizer.json');
  const json = await readJson(path, errors.badTokenizer);
  const unsupported = unsupportedPart(json);
  if (unsupported) throw errors.unsupported(`${path} uses ${unsupported}, which is not supported.`);
  const parsed = tokenizerJson.safeParse(json);
  if (!parsed.success) throw errors.badTokenizer(`${path} is not a tokenizer: ${firstIssue(parsed.error)}.`);
  const spec = parsed.data;
  refuseUnsupported(spec.model, path);
  try {
    return new BpeTokenizer(spec);
  } catch (error) {
    throw errors.badTokenizer(`${path} cannot be used: ${(error as Error).message.split('\n')[0]}.`, error);
  }
}

/** Where and what: "model.merges: a list is expected". */
function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  const where = issue?.path.join('.').slice(0, 100);
  return `${where ? `${where}: ` : ''}${issue?.message ?? 'it has the wrong shape'}`;
}

/** Settings of BPE that no decoder of today uses, and that would change ids if they were ignored. */
function refuseUnsupported(model: BpeSpec, path: string): void {
  for (const key of ['dropout', 'continuing_subword_prefix', 'end_of_word_suffix'] as const) {
    if (model[key]) throw errors.unsupported(`${path} sets the model's ${key}, which is not supported.`);
  }
}

/** How far past its first tokens a long text is read, in characters; see `#tokenizeSection`. */
const CUT_MARGIN = 65_536;

class BpeTokenizer implements Tokenizer {
  readonly vocabSize: number;
  readonly addsBos: boolean;
  readonly #rawSections: Sectioner;
  readonly #normalize: Normalizer | undefined;
  readonly #normalizedSections: Sectioner;
  readonly #preTokenizer: PreTokenizer;
  readonly #encodeWord: WordEncoder;
  readonly #before: readonly number[];
  readonly #after: readonly number[];
  /** Characters of the longest token. */
  readonly #longestToken: number;

  constructor(spec: TokenizerSpec) {
    const { size, longestToken } = measureVocabulary(spec);
    this.vocabSize = size;
    this.#longestToken = longestToken;
    this.#normalize = spec.normalizer ? createNormalizer(spec.normalizer) : undefined;
    const { raw, normalized } = partition(spec, this.#normalize);
    this.#rawSections = createSectioner(raw);
    this.#normalizedSections = createSectioner(normalized);
    this.#preTokenizer = createPreTokenizer(spec.pre_tokenizer);
    this.#encodeWord = createWordEncoder(createBpe(spec.model), spec.model, this.#preTokenizer.byteLevel);
    ({ before: this.#before, after: this.#after } = addedByTemplate(spec.post_processor, size));
    this.addsBos = this.#before.length > 0;
  }

  tokenize(input: string, { addSpecialTokens = true, maxTokens = Infinity }: TokenizeOptions = {}): TokenizedText {
    // A lone surrogate is no character; as U+FFFD it keeps its place and its length of one.
    const text = input.toWellFormed();
    const tokens = new TokenList(maxTokens);
    if (addSpecialTokens) for (const id of this.#before) tokens.push(id, 0, 0, true);
    this.#tokenizeText({ text, at: 0, origin: undefined }, tokens);
    const wanted = addSpecialTokens && !tokens.isFull && this.#after.length > 0;
    const end = wanted ? countCodePoints(text) : 0;
    if (wanted) for (const id of this.#after) tokens.push(id, end, end, true);
    return tokens;
  }

  #tokenizeText(whole: Piece, tokens: TokenList): void {
    for (const { piece, addedId } of this.#rawSections(whole)) {
      if (tokens.isFull) return;
      if (addedId === undefined) this.#tokenizeSection(piece, tokens);
      else tokens.push(addedId, ...originalSpan(piece, 0, countCodePoints(piece.text)), false);
    }
  }

  /**
   * Text between added tokens. Where it is far longer than the tokens that are still asked for can be, its beginning is
   * enough: four times the length of that many of the longest tokens, and a margin. Only a single run of white space
   * longer than the margin could reach over that cut, and it is itself more tokens than are asked for. Where a part
   * yields too few tokens after all (a pre-tokenizer may drop text), a longer one is taken.
   */
  #tokenizeSection(piece: Piece, tokens: TokenList): void {
    const mark = tokens.ids.length;
    let length = tokens.room * this.#longestToken * 4 + CUT_MARGIN;
    for (; length < piece.text.length; length *= 8) {
      this.#tokenizePart({ ...piece, text: piece.text.slice(0, length).toWellFormed() }, tokens);
      if (tokens.isFull) return;
      tokens.truncate(mark);
    }
    this.#tokenizePart(piece, tokens);
  }

  #tokenizePart(part: Piece, tokens: TokenList): void {
    for (const { piece, addedId } of this.#normalizedSections(this.#normalize?.(part) ?? part)) {
      if (tokens.isFull) return;
      if (addedId === undefined) this.#tokenizeWords(piece, tokens);
      else tokens.push(addedId, ...originalSpan(piece, 0, countCodePoints(piece.text)), false);
    }
  }

  #tokenizeWords(piece: Piece, tokens: TokenList): void {
    for (const word of this.#preTokenizer.split(piece)) {
      const { ids, starts, ends } = this.#encodeWord(word.text, tokens.room);
      for (let i = 0; i < ids.length; i++) {
        const [start, end] = originalSpan(word, starts[i] ?? 0, ends[i] ?? 0);
        tokens.push(ids[i] ?? 0, start, end, false);
      }
      if (tokens.isFull) return;
    }
  }
}

/** Tokens as they come, up to a number of them. */
class TokenList implements TokenizedText {
  readonly ids: number[] = [];
  readonly spans: Array<readonly [number, number]> = [];
  readonly added: boolean[] = [];
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** How many more there may be. */
  get room(): number {
    return this.#limit - this.ids.length;
  }

  get isFull(): boolean {
    return this.ids.length >= this.#limit;
  }

  /** Forgets all but the first `length`. */
  truncate(length: number): void {
    this.ids.length = length;
    this.spans.length = length;
    this.added.length = length;
  }

  push(id: number, start: number, end: number, added: boolean): void {
    if (this.isFull) return;
    this.ids.push(id);
    this.spans.push([start, end]);
    this.added.push(added);
  }
}

/** Ids are array indices of the embedding matrix; no model has a vocabulary of 16 million. */
const MAX_ID = 2 ** 24;

function measureVocabulary({ model, added_tokens }: TokenizerSpec): { size: number; longestToken: number } {
  let last = -1;
  let longestToken = 1;
  for (const token in model.vocab) {
    const id = model.vocab[token];
    if (!isId(id)) throw new Error(`the id of ${JSON.stringify(token.slice(0, 40))} is not a number from 0 to ${MAX_ID}`);
    if (id > last) last = id;
    if (token.length > longestToken) longestToken = token.length;
  }
  for (const { id, content } of added_tokens) {
    if (!isId(id)) throw new Error(`the id of ${JSON.stringify(content.slice(0, 40))} is not a number from 0 to ${MAX_ID}`);
    last = Math.max(last, id);
  }
  if (last < 0) throw new Error('its vocabulary is empty');
  return { size: last + 1, longestToken };
}

function isId(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_ID;
}

function createBpe(spec: BpeSpec): BPE {
  const paired = Array.isArray(spec.merges[0]);
  for (const merge of spec.merges) {
    const parts = paired ? merge : typeof merge === 'string' && merge.split(' ');
    if (!Array.isArray(parts) || parts.length !== 2 || typeof parts[0] !== 'string' || typeof parts[1] !== 'string')
      throw new Error(`model.merges: ${JSON.stringify(merge)?.slice(0, 60)} is not a pair of tokens`);
  }
  return new BPE({
    type: 'BPE',
    vocab: spec.vocab as Record<string, number>,
    merges: spec.merges as string[],
    unk_token: spec.unk_token ?? '',
    byte_fallback: spec.byte_fallback,
    fuse_unk: spec.fuse_unk,
    ignore_merges: spec.ignore_merges,
  } as ConstructorParameters<typeof BPE>[0]);
}

/** Added tokens that are looked for in the text as it stands, and those looked for in the normalized text. */
function partition(spec: TokenizerSpec, normalize: Normalizer | undefined) {
  const raw: AddedToken[] = [];
  const normalized: AddedToken[] = [];
  for (const token of spec.added_tokens) {
    const isNormalized = normalize !== undefined && (token.normalized ?? !token.special);
    if (!isNormalized) raw.push({ text: token.content, spec: token });
    else normalized.push({ text: normalize({ text: token.content, at: 0, origin: undefined }).text, spec: token });
  }
  return { raw, normalized };
}

/** The ids that the post-processor puts before and after a single text. */
function addedByTemplate(spec: PostProcessorSpec | null | undefined, vocabSize: number) {
  const before: number[] = [];
  const after: number[] = [];
  for (const template of templates(spec)) {
    let side = before;
    for (const part of template.single) {
      if ('Sequence' in part) side = after;
      else side.push(...specialIds(part.SpecialToken.id, template.special_tokens, vocabSize));
    }
  }
  return { before, after };
}

type Template = Extract<PostProcessorSpec, { type: 'TemplateProcessing' }>;

function templates(spec: PostProcessorSpec | null | undefined): Template[] {
  if (spec?.type === 'TemplateProcessing') return [spec];
  return spec?.type === 'Sequence' ? spec.processors.flatMap(templates) : [];
}

function specialIds(name: string, table: Template['special_tokens'], vocabSize: number): readonly number[] {
  const ids = table[name]?.ids;
  if (!ids || ids.some((id) => id >= vocabSize))
    throw new Error(`its post_processor adds ${JSON.stringify(name.slice(0, 40))}, which is no token of its own`);
  return ids;
}
