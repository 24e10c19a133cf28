import * as z from 'zod';
import type { Pattern } from './pattern.ts';

/**
 * The parts of tokenizer.json that decide ids and spans. Names are the file's own. Types that decoders do not use
 * (WordPiece, Unigram, Bert's normalizer, …) are left out: they are refused by name, see `unsupportedPart`.
 */
const pattern: z.ZodType<Pattern> = z.union([z.object({ String: z.string() }), z.object({ Regex: z.string() })]);

const replaceNormalizer = z.object({ type: z.literal('Replace'), pattern, content: z.string() });
const prependNormalizer = z.object({ type: z.literal('Prepend'), prepend: z.string() });
const unicodeNormalizer = z.object({ type: z.enum(['NFC', 'NFD', 'NFKC', 'NFKD']) });

export type NormalizerSpec =
  | z.infer<typeof replaceNormalizer>
  | z.infer<typeof prependNormalizer>
  | z.infer<typeof unicodeNormalizer>
  | { type: 'Sequence'; normalizers: NormalizerSpec[] };

const normalizer: z.ZodType<NormalizerSpec> = z.lazy(() =>
  z.discriminatedUnion('type', [
    replaceNormalizer,
    prependNormalizer,
    unicodeNormalizer,
    z.object({ type: z.literal('Sequence'), normalizers: z.array(normalizer).max(32) }),
  ]),
);

const behavior = z.enum(['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous']);
const splitPreTokenizer = z.object({
  type: z.literal('Split'),
  pattern,
  behavior,
  invert: z.boolean().default(false),
});
const digitsPreTokenizer = z.object({ type: z.literal('Digits'), individual_digits: z.boolean().default(false) });
const byteLevelPreTokenizer = z.object({
  type: z.literal('ByteLevel'),
  add_prefix_space: z.boolean().default(true),
  use_regex: z.boolean().default(true),
});
const metaspacePreTokenizer = z.object({
  type: z.literal('Metaspace'),
  replacement: z.string().length(1).default('▁'),
  prepend_scheme: z.enum(['always', 'first', 'never']).optional(),
  /** What older files have instead of `prepend_scheme`. */
  add_prefix_space: z.boolean().optional(),
  split: z.boolean().default(true),
});

export type SplitBehavior = z.infer<typeof behavior>;
export type MetaspaceSpec = z.infer<typeof metaspacePreTokenizer>;
export type PreTokenizerSpec =
  | z.infer<typeof splitPreTokenizer>
  | z.infer<typeof digitsPreTokenizer>
  | z.infer<typeof byteLevelPreTokenizer>
  | MetaspaceSpec
  | { type: 'Sequence'; pretokenizers: PreTokenizerSpec[] };

const preTokenizer: z.ZodType<PreTokenizerSpec> = z.lazy(() =>
  z.discriminatedUnion('type', [
    splitPreTokenizer,
    digitsPreTokenizer,
    byteLevelPreTokenizer,
    metaspacePreTokenizer,
    z.object({ type: z.literal('Sequence'), pretokenizers: z.array(preTokenizer).max(32) }),
  ]),
);

const byteLevelPostProcessor = z.object({ type: z.literal('ByteLevel') });
const templatePart = z.union([
  z.object({ SpecialToken: z.object({ id: z.string() }) }),
  z.object({ Sequence: z.object({ id: z.string() }) }),
]);
const templatePostProcessor = z.object({
  type: z.literal('TemplateProcessing'),
  single: z.array(templatePart).max(64),
  special_tokens: z.record(z.string(), z.object({ ids: z.array(z.int().nonnegative()).max(64) })).default({}),
});

export type PostProcessorSpec =
  | z.infer<typeof byteLevelPostProcessor>
  | z.infer<typeof templatePostProcessor>
  | { type: 'Sequence'; processors: PostProcessorSpec[] };

const postProcessor: z.ZodType<PostProcessorSpec> = z.lazy(() =>
  z.discriminatedUnion('type', [
    byteLevelPostProcessor,
    templatePostProcessor,
    z.object({ type: z.literal('Sequence'), processors: z.array(postProcessor).max(32) }),
  ]),
);

const addedToken = z.object({
  id: z.int().nonnegative(),
  content: z.string(),
  single_word: z.boolean().default(false),
  lstrip: z.boolean().default(false),
  rstrip: z.boolean().default(false),
  normalized: z.boolean().optional(),
  special: z.boolean().default(false),
});

export type AddedTokenSpec = z.infer<typeof addedToken>;

/** Vocabulary and merges are tens of thousands of entries; `readBpe` checks them in plain loops. */
const bpe = z.object({
  type: z.literal('BPE').optional(),
  dropout: z.number().nullish(),
  unk_token: z.string().nullish(),
  continuing_subword_prefix: z.string().nullish(),
  end_of_word_suffix: z.string().nullish(),
  fuse_unk: z.boolean().default(false),
  byte_fallback: z.boolean().default(false),
  ignore_merges: z.boolean().default(false),
  vocab: z.custom<Record<string, unknown>>((value) => isRecord(value), 'an object is expected'),
  merges: z.custom<unknown[]>((value) => Array.isArray(value), 'a list is expected'),
});

export type BpeSpec = z.infer<typeof bpe>;

export const tokenizerJson = z.object({
  added_tokens: z.array(addedToken).default([]),
  normalizer: normalizer.nullish(),
  pre_tokenizer: preTokenizer.nullish(),
  post_processor: postProcessor.nullish(),
  model: bpe,
});

export type TokenizerSpec = z.infer<typeof tokenizerJson>;

const KNOWN_TYPES: Record<string, ReadonlySet<string>> = {
  normalizer: new Set(['Replace', 'Prepend', 'NFC', 'NFD', 'NFKC', 'NFKD', 'Sequence']),
  pre_tokenizer: new Set(['Split', 'Digits', 'ByteLevel', 'Metaspace', 'Sequence']),
  post_processor: new Set(['ByteLevel', 'TemplateProcessing', 'Sequence']),
  model: new Set(['BPE']),
};

/** Names the first part of a tokenizer.json whose type is a string that we do not implement, for instance `model WordPiece`. */
export function unsupportedPart(json: unknown): string | undefined {
  if (!isRecord(json)) return undefined;
  for (const [key, known] of Object.entries(KNOWN_TYPES)) {
    const type = firstUnknownType(json[key], known);
    if (type !== undefined) return `${key} ${type.slice(0, 60)}`;
  }
  return undefined;
}

function firstUnknownType(part: unknown, known: ReadonlySet<string>): string | undefined {
  if (!isRecord(part)) return undefined;
  if (typeof part.type === 'string' && !known.has(part.type)) return part.type;
  const children = part.normalizers ?? part.pretokenizers ?? part.processors;
  if (!Array.isArray(children)) return undefined;
  for (const child of children) {
    const type = firstUnknownType(child, known);
    if (type !== undefined) return type;
  }
  return undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
