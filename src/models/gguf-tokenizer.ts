import { errors } from '../errors.ts';

/** Kinds of `tokenizer.ggml.token_type`. */
const CONTROL = 3;
const USER_DEFINED = 4;

/** How a text is cut before its merges, by the name that llama.cpp gave it. */
interface Split {
  /** Regular expressions applied one after the other, each match a piece of its own. */
  readonly patterns: readonly string[];
  readonly normalizer: string | null;
  /** Whether a piece that is a token is taken whole, without merging. */
  readonly ignoreMerges: boolean;
  /** What `tokenizer.ggml.add_bos_token` is where it is not given. */
  readonly addsBos: boolean;
}

const GPT2 = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;
/** GPT-4's pattern, with as many digits together as `digits` says. */
const gpt4 = (digits: string): string =>
  String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|${digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;

const gpt2Split: Split = { patterns: [GPT2], normalizer: null, ignoreMerges: false, addsBos: false };
/** Each digit alone (the library's own `Digits` knows only ASCII's, the original every `\p{N}`), then GPT-2's split. */
const digitSplit: Split = { ...gpt2Split, patterns: [String.raw`\p{N}`, GPT2] };
const llama3Split: Split = {
  patterns: [gpt4(String.raw`\p{N}{1,3}`)],
  normalizer: null,
  ignoreMerges: true,
  addsBos: true,
};
const qwen2Split: Split = {
  patterns: [gpt4(String.raw`\p{N}`)],
  normalizer: 'NFC',
  ignoreMerges: false,
  addsBos: false,
};

/** Those of llama.cpp's names whose original tokenizer is known for sure; `default` says that nobody recorded it. */
const SPLITS: ReadonlyMap<string, Split> = new Map([
  ['gpt-2', gpt2Split],
  ['smollm', digitSplit],
  ['starcoder', digitSplit],
  ['llama-bpe', llama3Split],
  ['llama3', llama3Split],
  ['llama-v3', llama3Split],
  ['qwen2', qwen2Split],
  ['deepseek-r1-qwen', qwen2Split],
]);

/**
 * Rebuilds tokenizer.json and tokenizer_config.json of a byte-level BPE tokenizer from a GGUF file's metadata.
 * `vocabSize` is the number of rows of the embedding matrix. Throws `BAD_TOKENIZER` or `UNSUPPORTED`.
 */
export function ggufTokenizer(
  metadata: ReadonlyMap<string, unknown>,
  vocabSize: number,
  file: string,
): { tokenizer: Record<string, unknown>; config: Record<string, unknown> } {
  const { get, bad } = reader(metadata, file);
  const model = get('model');
  if (model !== 'gpt2')
    throw errors.unsupported(
      `${file}: tokenizers of type ${JSON.stringify(model)?.slice(0, 100) ?? 'unknown'} are not rebuilt from GGUF files; gpt2 (byte-level BPE) is.`,
    );
  const split = findSplit(get('pre'), file);
  const tokens = strings(get('tokens'), 'tokens', bad);
  const merges = strings(get('merges'), 'merges', bad);
  const types = get('token_type') ?? [];
  if (tokens.length > vocabSize)
    throw bad(`it has ${tokens.length} tokens, and the model's vocabulary ${vocabSize}`);
  const ids = new Map(tokens.map((token, id) => [token, id]));
  if (ids.size !== tokens.length) throw bad('it has the same token twice');
  if (!Array.isArray(types) || (types.length > 0 && types.length !== tokens.length))
    throw bad('tokenizer.ggml.token_type has another length than its tokens');

  const special = (name: string): string | undefined => {
    const id = get(`${name}_token_id`);
    if (id === undefined) return undefined;
    const token = typeof id === 'number' ? tokens[id] : undefined;
    if (token === undefined) throw bad(`tokenizer.ggml.${name}_token_id is ${String(id).slice(0, 40)}`);
    return token;
  };
  const bos = special('bos');
  const eos = special('eos');
  const before = (get('add_bos_token') ?? split.addsBos) === true ? bos : undefined;
  const after = get('add_eos_token') === true ? eos : undefined;

  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false };
  const tokenizer = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: addedTokens(tokens, types as readonly unknown[]),
    normalizer: split.normalizer ? { type: split.normalizer } : null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        ...split.patterns.map((pattern) => ({
          type: 'Split',
          pattern: { Regex: pattern },
          behavior: 'Isolated',
          invert: false,
        })),
        byteLevel,
      ],
    },
    post_processor: postProcessor(byteLevel, before, after, ids),
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: split.ignoreMerges,
      vocab: Object.fromEntries(ids),
      merges: merges.map((merge) => parseMerge(merge, ids, bad)),
    },
  };
  const template = metadata.get('tokenizer.chat_template');
  const config = {
    tokenizer_class: 'PreTrainedTokenizerFast',
    ...named('bos_token', bos),
    ...named('eos_token', eos),
    ...named('unk_token', special('unknown')),
    ...named('pad_token', special('padding')),
    ...named('chat_template', typeof template === 'string' ? template : undefined),
    clean_up_tokenization_spaces: false,
    model_max_length: Number(metadata.get('llama.context_length') ?? 1e30),
  };
  return { tokenizer, config };
}

function reader(metadata: ReadonlyMap<string, unknown>, file: string) {
  return {
    get: (key: string) => metadata.get(`tokenizer.ggml.${key}`),
    bad: (clause: string) => errors.badTokenizer(`The tokenizer in ${file} is not valid: ${clause}. Fetch the model again.`),
  };
}

function findSplit(name: unknown, file: string): Split {
  const split = typeof name === 'string' ? SPLITS.get(name) : undefined;
  if (split) return split;
  throw errors.unsupported(
    `${file}: the pre-tokenizer ${JSON.stringify(name)?.slice(0, 100) ?? '(none is named)'} is not known; these are: ${[...SPLITS.keys()].join(', ')}.`,
  );
}

function strings(value: unknown, key: string, bad: (clause: string) => Error): string[] {
  if (!Array.isArray(value) || value.some((item) => typeof item !== 'string'))
    throw bad(`tokenizer.ggml.${key} is not a list of strings`);
  return value as string[];
}

function addedTokens(tokens: readonly string[], types: readonly unknown[]): unknown[] {
  return tokens.flatMap((content, id) =>
    types[id] === CONTROL || types[id] === USER_DEFINED
      ? [{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: types[id] === CONTROL }]
      : [],
  );
}

/** `"Ġ t"` → `["Ġ", "t"]`. The halves and what they make are tokens, or the tokenizers library would refuse the file. */
function parseMerge(merge: string, ids: ReadonlyMap<string, number>, bad: (clause: string) => Error): [string, string] {
  const space = merge.indexOf(' ', 1);
  const [left, right] = [merge.slice(0, space), merge.slice(space + 1)];
  if (space < 0 || !ids.has(left) || !ids.has(right) || !ids.has(left + right))
    throw bad(`the merge ${JSON.stringify(merge.slice(0, 100))} is not one of its tokens`);
  return [left, right];
}

/** Puts bos before and eos after the text where the file says so. */
function postProcessor(
  byteLevel: Record<string, unknown>,
  before: string | undefined,
  after: string | undefined,
  ids: ReadonlyMap<string, number>,
): unknown {
  if (before === undefined && after === undefined) return byteLevel;
  const token = (id: string) => ({ SpecialToken: { id, type_id: 0 } });
  const around = (sequence: 'A' | 'B') => [
    ...(before === undefined ? [] : [token(before)]),
    { Sequence: { id: sequence, type_id: 0 } },
    ...(after === undefined ? [] : [token(after)]),
  ];
  const used = [...new Set([before, after].filter((name) => name !== undefined))];
  const template = {
    type: 'TemplateProcessing',
    single: around('A'),
    pair: [...around('A'), ...around('B')],
    special_tokens: Object.fromEntries(used.map((id) => [id, { id, ids: [ids.get(id)], tokens: [id] }])),
  };
  return { type: 'Sequence', processors: [byteLevel, template] };
}

function named(key: string, value: string | undefined): Record<string, string> {
  return value === undefined ? {} : { [key]: value };
}
