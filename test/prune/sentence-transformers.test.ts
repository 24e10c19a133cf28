import { describe, expect, test } from 'vitest';
import type { Manifest } from '../../src/prune/manifest.ts';
import { modelCard } from '../../src/prune/model-card.ts';
import { sentenceTransformersFiles, type SentenceTransformersSettings } from '../../src/prune/sentence-transformers.ts';

const plain: SentenceTransformersSettings = {
  attention: 'causal',
  pooling: 'weighted_mean',
  maxLength: 512,
  addsBos: false,
  hasPadToken: true,
  hiddenSize: 576,
  instruction: undefined,
  separator: ' ',
  calibration: undefined,
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

  test('end with a Dense module without an activation where one mean is taken off', () => {
    const files = parsed({ ...plain, calibration: 'mean' });
    expect(files['modules.json']).toMatchObject([{}, {}, { idx: 2, name: '2', path: '2_Dense', type: 'sentence_transformers.models.Dense' }]);
    expect(files['2_Dense/config.json']).toEqual({
      in_features: 576,
      out_features: 576,
      bias: true,
      activation_function: 'torch.nn.modules.linear.Identity',
    });
  });

  test('end with a Router of two where queries and documents are apart, which takes what says nothing for a document', () => {
    const files = parsed({ ...plain, calibration: 'router' });
    expect(files['modules.json']).toMatchObject([{}, {}, { path: '2_Router', type: 'sentence_transformers.models.Router' }]);
    expect(files['2_Router/router_config.json']).toMatchObject({
      structure: { query: ['query_0_Dense'], document: ['document_0_Dense'] },
      parameters: { default_route: 'document' },
    });
    expect(files['2_Router/query_0_Dense/config.json']).toEqual(files['2_Router/document_0_Dense/config.json']);
  });

  test('put instruction and separator before queries alone', () => {
    expect(parsed({ ...plain, instruction: 'Find code:', separator: '; ' })['config_sentence_transformers.json']).toMatchObject({
      prompts: { query: 'Find code:; ', document: '' },
    });
  });
});

describe("a checkpoint's README", () => {
  const manifest = { base: { name: 'owner/model', fingerprint: 'ab12', layers: 30 }, layers: 8, calibration: null, history: [] } as unknown as Manifest;

  test('names the base model, the layers and the pooling, and asks to trust no code where none runs', () => {
    const card = modelCard(manifest, plain);
    expect(card).toContain('# Text encoder: the first 8 of 30 layers of owner/model');
    expect(card).toContain('`ab12`');
    expect(card).toContain('`weighted_mean`');
    expect(card).toContain('SentenceTransformer("path/to/this/folder")');
    expect(card).not.toContain('trust_remote_code');
    expect(card).not.toContain('alibration');
  });

  test('says why it asks for trust_remote_code', () => {
    const card = modelCard(manifest, { ...plain, addsBos: true });
    expect(card).toContain('trust_remote_code=True');
    expect(card).toContain('- The tokenizer puts a token of its own before the text');
    expect(card).not.toContain('- Queries carry an instruction');
  });

  test.each([
    [{ kind: 'mean', components: 0, rows: 256 }, 'One mean vector is taken off every vector, by a Dense module without an\nactivation (`2_Dense/`)'],
    [{ kind: 'router', components: 2, rows: 256 }, 'that of documents off a document, and the 2 leading components of what is left, by a Router\n'],
  ] as const)('says what its calibration takes off (%o)', (calibration, sentence) => {
    const card = modelCard({ ...manifest, calibration }, { ...plain, calibration: calibration.kind });
    expect(card).toContain(sentence);
    expect(card).toContain('256 queries');
  });

  test('keeps its table whole whatever the instruction holds', () => {
    const card = modelCard(manifest, { ...plain, instruction: 'a|b\n`c`' });
    expect(card.split('\n').find((line) => line.startsWith('| queries'))).toBe(
      String.raw`| queries | ${'``'} a\|b\n${'`c`'}  ${'``'} before the text, attended to and not pooled |`,
    );
  });
});
