import { describe, expect, test } from 'vitest';
import type { Manifest } from '../../src/prune/manifest.ts';
import { modelCard, sentenceTransformersFiles, type SentenceTransformersSettings } from '../../src/prune/sentence-transformers.ts';

const plain: SentenceTransformersSettings = {
  attention: 'causal',
  pooling: 'weighted_mean',
  maxLength: 512,
  addsBos: false,
  hasPadToken: true,
  hiddenSize: 576,
  instruction: undefined,
  separator: ' ',
};
const parsed = (settings: SentenceTransformersSettings): Record<string, unknown> =>
  Object.fromEntries(
    sentenceTransformersFiles(settings).map(({ path, content }) => [path, path.endsWith('.json') ? JSON.parse(content) : content]),
  );

describe('the files for sentence-transformers', () => {
  test('are the stock modules where those are exact', () => {
    expect(parsed(plain)).toEqual({
      'config_sentence_transformers.json': {
        model_type: 'SentenceTransformer',
        prompts: { query: '', document: '' },
        default_prompt_name: null,
        similarity_fn_name: 'cosine',
      },
      'modules.json': [
        { idx: 0, name: '0', path: '', type: 'sentence_transformers.models.Transformer' },
        { idx: 1, name: '1', path: '1_Pooling', type: 'sentence_transformers.models.Pooling' },
      ],
      'sentence_bert_config.json': {
        max_seq_length: 512,
        do_lower_case: false,
        model_args: { dtype: 'float32' },
        tokenizer_args: { padding_side: 'right', truncation_side: 'right' },
      },
      '1_Pooling/config.json': {
        word_embedding_dimension: 576,
        pooling_mode_weightedmean_tokens: true,
        pooling_mode_mean_tokens: false,
        pooling_mode_lasttoken: false,
        pooling_mode_cls_token: false,
        include_prompt: true,
      },
    });
  });

  test.each<[string, Partial<SentenceTransformersSettings>]>([
    ['a bos', { addsBos: true }],
    ['an instruction', { instruction: 'Find code:' }],
    ['bidirectional attention', { attention: 'bidirectional' }],
    ['a tokenizer without a token to pad with', { hasPadToken: false }],
  ])('bring a Python module of ours with %s', (_, change) => {
    const files = parsed({ ...plain, ...change });
    expect(files['modules.json']).toMatchObject([
      { path: '', type: 'l3prune_pooling.L3PruneTransformer' },
      { path: '1_Pooling', type: 'l3prune_pooling.L3PrunePooling' },
    ]);
    expect(files['l3prune_pooling.py']).toContain('class L3PrunePooling');
    expect(files['1_Pooling/config.json']).toEqual({ embedding_dimension: 576, pooling: 'weighted_mean' });
  });

  test('put instruction and separator before queries alone', () => {
    expect(parsed({ ...plain, instruction: 'Find code:', separator: '; ' })['config_sentence_transformers.json']).toMatchObject({
      prompts: { query: 'Find code:; ', document: '' },
    });
  });
});

describe("a checkpoint's README", () => {
  const manifest = { base: { name: 'owner/model', fingerprint: 'ab12', layers: 30 }, layers: 8, calibrated: false } as Manifest;

  test('names the base model, the layers and the pooling, and asks to trust no code where none runs', () => {
    const card = modelCard(manifest, plain);
    expect(card).toContain('# Text encoder: the first 8 of 30 layers of owner/model');
    expect(card).toContain('`ab12`');
    expect(card).toContain('`weighted_mean`');
    expect(card).toContain('SentenceTransformer("path/to/this/folder")');
    expect(card).not.toContain('trust_remote_code');
    expect(card).not.toContain('calibration');
  });

  test('says why it asks for trust_remote_code', () => {
    const card = modelCard({ ...manifest, calibrated: true }, { ...plain, addsBos: true });
    expect(card).toContain('trust_remote_code=True');
    expect(card).toContain('- The tokenizer puts a token of its own before the text');
    expect(card).not.toContain('- Queries carry an instruction');
    expect(card).toContain('calibration.safetensors');
  });

  test('keeps its table whole whatever the instruction holds', () => {
    const card = modelCard(manifest, { ...plain, instruction: 'a|b\n`c`' });
    expect(card.split('\n').find((line) => line.startsWith('| queries'))).toBe(
      String.raw`| queries | ${'``'} a\|b\n${'`c`'}  ${'``'} before the text, attended to and not pooled |`,
    );
  });
});
