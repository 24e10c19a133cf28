import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CalibrationKind } from '../encoder/calibration.ts';
import type { EncoderSettings, Pooling } from '../encoder/settings.ts';
import { calibrationConfigs, calibrationModule } from './calibration-modules.ts';
import { jsonFile, type CheckpointFile } from './checkpoint-file.ts';
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
  /** What follows the pooling; its weights are written by `writeCalibrationWeights`. */
  readonly calibration: CalibrationKind | undefined;
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
  const { attention, pooling, maxLength, hiddenSize, instruction, separator, calibration } = settings;
  const stock = reasonsAgainstStock(settings).length === 0;
  const modules = (transformer: string, pooler: string) =>
    jsonFile('modules.json', [
      { idx: 0, name: '0', path: '', type: transformer },
      { idx: 1, name: '1', path: '1_Pooling', type: pooler },
      ...(calibration === undefined ? [] : [calibrationModule(calibration)]),
    ]);
  // What is stored in 16 bits would be computed in 16 bits; float32 is what the numbers beside the model were made in.
  const transformer = { max_seq_length: maxLength, do_lower_case: false, model_args: { dtype: 'float32' } };
  const config = {
    model_type: 'SentenceTransformer',
    prompts: { query: instruction === undefined ? '' : instruction + separator, document: '' },
    default_prompt_name: null,
    similarity_fn_name: 'cosine',
  };
  const common = [
    jsonFile('config_sentence_transformers.json', config),
    ...(calibration === undefined ? [] : calibrationConfigs(calibration, hiddenSize)),
  ];
  if (stock) {
    // The names that every version of sentence-transformers knows, old and new.
    return [
      ...common,
      modules('sentence_transformers.models.Transformer', 'sentence_transformers.models.Pooling'),
      jsonFile('sentence_bert_config.json', { ...transformer, tokenizer_args: { padding_side: 'right', truncation_side: 'right' } }),
      jsonFile('1_Pooling/config.json', {
        word_embedding_dimension: hiddenSize,
        ...Object.fromEntries(Object.entries(stockPooling).map(([mode, key]) => [key, mode === pooling])),
        include_prompt: true,
      }),
    ];
  }
  return [
    ...common,
    modules(`${PYTHON_MODULE_NAME}.L3PruneTransformer`, `${PYTHON_MODULE_NAME}.L3PrunePooling`),
    jsonFile('sentence_bert_config.json', { ...transformer, attention }),
    jsonFile('1_Pooling/config.json', { embedding_dimension: hiddenSize, pooling }),
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

/** Why the stock modules would give other numbers than ours, or none: a sentence each. Empty where they are exact. */
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
