import type { EncoderSettings, Pooling } from '../encoder/settings.ts';
import { PYTHON_MODULE_NAME, pythonModule } from './python-module.ts';

/** What decides how a checkpoint's vectors are made in sentence-transformers. */
export interface SentenceTransformersSettings extends EncoderSettings {
  /** Whether the tokenizer puts a token of its own before the text. */
  readonly addsBos: boolean;
  /** Whether the tokenizer names a token to pad with, without which the stock classes cannot batch. */
  readonly hasPadToken: boolean;
  readonly hiddenSize: number;
  /** What stands before every query; documents carry none. */
  readonly instruction: string | undefined;
  /** Between instruction and text. */
  readonly separator: string;
}

/** A text file inside a checkpoint folder; `path` is relative to it and uses slashes. */
export interface CheckpointFile {
  readonly path: string;
  readonly content: string;
}

/** sentence-transformers' own names of our poolings. */
const stockPooling: Readonly<Record<Pooling, string>> = {
  weighted_mean: 'pooling_mode_weightedmean_tokens',
  mean: 'pooling_mode_mean_tokens',
  last_token: 'pooling_mode_lasttoken',
  first_token: 'pooling_mode_cls_token',
};

/**
 * The files that make a checkpoint folder open in sentence-transformers with the numbers that we compute. The stock
 * modules serve where they are exact; where they are not (`reasonsAgainstStock`) a Python module of ours is among the
 * files, and opening the folder asks for `trust_remote_code=True`.
 */
export function sentenceTransformersFiles(settings: SentenceTransformersSettings): CheckpointFile[] {
  const { attention, pooling, maxLength, hiddenSize, instruction, separator } = settings;
  const stock = reasonsAgainstStock(settings).length === 0;
  const modules = (transformer: string, pooler: string) => [
    { idx: 0, name: '0', path: '', type: transformer },
    { idx: 1, name: '1', path: '1_Pooling', type: pooler },
  ];
  // What is stored in 16 bits would be computed in 16 bits; float32 is what the numbers beside the model were made in.
  const transformer = { max_seq_length: maxLength, do_lower_case: false, model_args: { dtype: 'float32' } };
  const config = {
    model_type: 'SentenceTransformer',
    prompts: { query: instruction === undefined ? '' : instruction + separator, document: '' },
    default_prompt_name: null,
    similarity_fn_name: 'cosine',
  };
  const common = [{ path: 'config_sentence_transformers.json', content: json(config) }];
  if (stock) {
    // The names that every version of sentence-transformers knows, old and new.
    return [
      ...common,
      {
        path: 'modules.json',
        content: json(modules('sentence_transformers.models.Transformer', 'sentence_transformers.models.Pooling')),
      },
      {
        path: 'sentence_bert_config.json',
        content: json({ ...transformer, tokenizer_args: { padding_side: 'right', truncation_side: 'right' } }),
      },
      {
        path: '1_Pooling/config.json',
        content: json({
          word_embedding_dimension: hiddenSize,
          ...Object.fromEntries(Object.entries(stockPooling).map(([mode, key]) => [key, mode === pooling])),
          include_prompt: true,
        }),
      },
    ];
  }
  return [
    ...common,
    {
      path: 'modules.json',
      content: json(modules(`${PYTHON_MODULE_NAME}.L3PruneTransformer`, `${PYTHON_MODULE_NAME}.L3PrunePooling`)),
    },
    { path: 'sentence_bert_config.json', content: json({ ...transformer, attention }) },
    { path: '1_Pooling/config.json', content: json({ embedding_dimension: hiddenSize, pooling }) },
    { path: `${PYTHON_MODULE_NAME}.py`, content: pythonModule },
  ];
}

/** Why the stock pooling would give other numbers than ours, a sentence each; none where it is exact. */
export function reasonsAgainstStock(settings: SentenceTransformersSettings): string[] {
  const reasons: string[] = [];
  if (settings.addsBos) reasons.push('The tokenizer puts a token of its own before the text, which the stock module would pool.');
  if (settings.instruction !== undefined)
    reasons.push('Queries carry an instruction, and the stock module would count the weights of the text from its start.');
  if (settings.attention === 'bidirectional')
    reasons.push('Every token sees every other, while the stock module lets a token see only those before it.');
  if (!settings.hasPadToken) reasons.push('The tokenizer names no token to pad with, and the stock module cannot do without one.');
  return reasons;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
