import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EncoderSettings, Pooling } from '../encoder/settings.ts';
import type { Manifest } from './manifest.ts';
import { PYTHON_MODULE_NAME, pythonModule } from './python-module.ts';

/** What decides how a checkpoint's vectors are made in sentence-transformers. */
export interface SentenceTransformersSettings extends EncoderSettings {
  /** Whether the tokenizer puts a token of its own before the text. */
  readonly addsBos: boolean;
  /** Whether the tokenizer names a token to pad with (`namesPadToken`); the stock modules cannot do without one. */
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

/** Whether the tokenizer files of a checkpoint folder name a token to pad with. */
export async function namesPadToken(directory: string): Promise<boolean> {
  for (const file of ['tokenizer_config.json', 'special_tokens_map.json']) {
    const text = await readFile(join(directory, file), 'utf8').catch(() => '{}');
    try {
      const { pad_token: padToken } = JSON.parse(text) as { pad_token?: unknown };
      if (padToken !== undefined && padToken !== null) return true;
    } catch {
      // Not JSON: transformers will not find a token in it either.
    }
  }
  return false;
}

const poolingSentence: Readonly<Record<Pooling, string>> = {
  weighted_mean: 'the weighted mean of the last layer over the tokens of the text, the i-th of n with weight i / (1 + 2 + … + n)',
  mean: 'the mean of the last layer over the tokens of the text',
  last_token: 'the last layer at the last token of the text',
  first_token: 'the last layer at the first token of the sequence',
};

/** README.md of a checkpoint folder: what it was made from, how its vectors are made, and how Python opens it. */
export function modelCard({ base, layers, calibrated }: Manifest, settings: SentenceTransformersSettings): string {
  const name = base.name.replace(/\s+/g, ' ');
  const { attention, pooling, maxLength, hiddenSize, instruction, separator } = settings;
  return `# Text encoder: the first ${layers} of ${base.layers} layers of ${name}

Made by L³Prune from the base model **${name}** (fingerprint \`${base.fingerprint}\`). The first ${layers} of its
${base.layers} layers, its token embeddings and its final norm are kept as they were stored; \`l3prune.json\` has the
whole history.

| setting | value |
|---|---|
| vector | ${hiddenSize} numbers, not normalized; compare by cosine |
| pooling | \`${pooling}\`: ${poolingSentence[pooling]} |
| attention | ${attention} |
| longest text | ${maxLength} tokens, cut on the right |
| queries | ${instruction === undefined ? 'no instruction' : `${code(instruction + separator)} before the text, attended to and not pooled`} |
| documents | no instruction |

## sentence-transformers

${sentenceTransformersSection(settings)}

## transformers

\`\`\`python
import torch
from transformers import AutoModel, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("path/to/this/folder")
model = AutoModel.from_pretrained("path/to/this/folder", dtype=torch.float32)
hidden = model(**tokenizer("some text", return_tensors="pt")).last_hidden_state  # [1, tokens, ${hiddenSize}]
\`\`\`

${
  attention === 'bidirectional'
    ? 'The vectors need every token to see every other: `config.json` says so by `is_causal: false`, which transformers honours from 5.2 on. '
    : ''
}Pooling is left to you; tokens that the tokenizer adds are not pooled.
${calibrated ? calibrationSection : ''}`;
}

const calibrationSection = `
## Calibration

\`calibration.safetensors\` holds the mean vector of queries (\`query_mean\`) and of documents (\`document_mean\`). L³Prune's
search takes them off before it compares; neither library above does, so subtract them for the same ranking.
`;

function sentenceTransformersSection(settings: SentenceTransformersSettings): string {
  const reasons = reasonsAgainstStock(settings);
  const trust = reasons.length === 0 ? '' : ', trust_remote_code=True';
  const example = `\`\`\`python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("path/to/this/folder"${trust})
queries = model.encode_query(["how is a file read line by line?"])
documents = model.encode_document(["def lines(path): ..."])
print(model.similarity(queries, documents))
\`\`\``;
  if (reasons.length === 0) {
    return `${example}

Its own pooling module gives the numbers of L³Prune here: the tokenizer adds no token and there is no instruction, so it
pools the same tokens with the same weights. No code from this folder runs. A prompt of your own would be pooled too;
for queries with an instruction, cut the model with \`--instruction\`.`;
  }
  return `${example}

This asks for sentence-transformers 5.4 or newer and for \`trust_remote_code=True\`, which lets it run
\`${PYTHON_MODULE_NAME}.py\` from this folder (about a hundred lines; read them first). Its own pooling would give other
numbers than L³Prune:

${reasons.map((reason) => `- ${reason}`).join('\n')}

Any prompt that you pass is left out of the pooling in the same way.`;
}

/** Inline code that may hold backticks and line breaks, and that cannot break out of a table's cell. */
function code(text: string): string {
  const shown = JSON.stringify(text).slice(1, -1).replaceAll('|', String.raw`\|`);
  const fence = '`'.repeat(Math.max(0, ...(shown.match(/`+/g) ?? []).map((run) => run.length)) + 1);
  return `${fence} ${shown} ${fence}`;
}

/** Why the stock modules would give other numbers than ours, or none: a sentence each. Empty where they are exact. */
function reasonsAgainstStock(settings: SentenceTransformersSettings): string[] {
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
