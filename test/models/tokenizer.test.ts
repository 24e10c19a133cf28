import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTokenizer } from '../../src/models/tokenizer.ts';
import type { Tokenizer } from '../../src/models/types.ts';

const fixtures = join(import.meta.dirname, '..', 'fixtures');
const readJson = async (...path: string[]) => JSON.parse(await readFile(join(fixtures, ...path), 'utf8'));

/** Any text, with what tokenizers stumble over more often than chance has it. */
const anyText = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(' ', '\n', '  ', 'é', 'e\u0301', '🙂', '▁', '<|eot_id|>', 'the', "'ll", '123', '\ud800', '\u00a0', 'İ', '각'),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(''));

// `smollm2` is in default-model.test.ts: its tokenizer comes with the model.
describe.each(['llama', 'mistral', 'qwen2', 'phi3', 'gemma'])('the tokenizer of %s', (family) => {
  let tokenizer: Tokenizer;
  beforeAll(async () => {
    tokenizer = await openTokenizer(join(fixtures, family, 'model'));
  });

  it('gives the ids and spans of the reference for every case', async () => {
    const { cases } = await readJson(family, 'tokenizer_cases.json');
    expect(cases.length).toBeGreaterThan(70);
    for (const { text, ids, spans, ids_with_special } of cases) {
      const plain = tokenizer.tokenize(text, { addSpecialTokens: false });
      expect({ text, ids: plain.ids, spans: plain.spans }).toEqual({ text, ids, spans });
      expect(tokenizer.tokenize(text).ids).toEqual(ids_with_special);
    }
  });

  it('gives the first tokens of a text as the whole text has them', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 0, max: 20 }), (text, maxTokens) => {
        const whole = tokenizer.tokenize(text);
        const first = tokenizer.tokenize(text, { maxTokens });
        expect(first.ids).toEqual(whole.ids.slice(0, maxTokens));
        expect(first.spans).toEqual(whole.spans.slice(0, maxTokens));
      }),
    );
  });

  it('keeps spans in order and inside the text', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const length = [...text].length;
        let last = 0;
        for (const [start, end] of tokenizer.tokenize(text, { addSpecialTokens: false }).spans) {
          expect(start).toBeGreaterThanOrEqual(last);
          expect(end).toBeGreaterThan(start);
          expect(end).toBeLessThanOrEqual(length);
          last = start;
        }
      }),
    );
  });

  it('answers for ten megabytes of anything when a few tokens are asked for', () => {
    const size = 1e7;
    for (const unit of ['a', ' ', '\n', '=', '1', '🙂', 'ab1 ', 'x;', 'e\u0301', '\ud800', '<|eot_id|>']) {
      const { ids } = tokenizer.tokenize(unit.repeat(size / unit.length), { maxTokens: 512 });
      expect(ids).toHaveLength(512);
    }
  });

  it('cuts a word that is far too long without changing its first tokens', async () => {
    const letters = (await readFile(join(import.meta.dirname, 'tokenizer.test.ts'), 'utf8')).replace(/[^a-z]/gi, '').repeat(8);
    for (const word of [letters, 'a'.repeat(letters.length), ' '.repeat(letters.length)]) {
      const whole = tokenizer.tokenize(word).ids;
      for (const maxTokens of [1, 50, 512])
        expect(tokenizer.tokenize(word, { maxTokens }).ids).toEqual(whole.slice(0, maxTokens));
    }
  });
});

describe('the tokenizer of llama', () => {
  it('gives what the reference model was fed, cut to its length', async () => {
    const tokenizer = await openTokenizer(join(fixtures, 'llama', 'model'));
    const reference = await readJson('llama', 'reference.json');
    const triplets = reference.triplets.flatMap((triplet: any) => [triplet.query, triplet.positive, triplet.negative]);
    for (const input of [...reference.inputs, ...reference.empty, ...triplets]) {
      const { ids, spans, added } = tokenizer.tokenize(input.full, { maxTokens: reference.max_length });
      expect(ids).toEqual(input.ids);
      expect(spans).toEqual(input.spans);
      expect(added.map(Number)).toEqual(input.added_by_tokenizer);
    }
  });

  it('agrees with the library on any text', async () => {
    const tokenizer = await openTokenizer(join(fixtures, 'llama', 'model'));
    const library = new LibraryTokenizer(await readJson('llama', 'model', 'tokenizer.json'), {});
    fc.assert(fc.property(anyText, (text) => void expect(tokenizer.tokenize(text).ids).toEqual(library.encode(text).ids)));
  });

  it('says how large its vocabulary is and whether it adds a bos', async () => {
    const llama = await openTokenizer(join(fixtures, 'llama', 'model'));
    expect([llama.vocabSize, llama.addsBos]).toEqual([797, true]);
    expect((await openTokenizer(join(fixtures, 'qwen2', 'model'))).addsBos).toBe(false);
  });
});

describe('a tokenizer.json that is not right', () => {
  let folder: string;
  let valid: any;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'l3prune-tokenizer-'));
    valid = await readJson('llama', 'model', 'tokenizer.json');
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const open = async (content: unknown) => {
    await writeFile(join(folder, 'tokenizer.json'), typeof content === 'string' ? content : JSON.stringify(content));
    return openTokenizer(folder);
  };
  const split = (regex: string) => ({
    ...valid,
    pre_tokenizer: { type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false },
  });

  it.each<[string, string, (json: any) => unknown]>([
    ['is empty', 'BAD_TOKENIZER', () => ''],
    ['is cut off', 'BAD_TOKENIZER', (json) => JSON.stringify(json).slice(0, 500)],
    ['is a list', 'BAD_TOKENIZER', () => []],
    ['is nested without end', 'BAD_TOKENIZER', () => '['.repeat(200_000)],
    ['has no model', 'BAD_TOKENIZER', (json) => ({ ...json, model: undefined })],
    ['has an empty vocabulary', 'BAD_TOKENIZER', (json) => ({ ...json, added_tokens: [], model: { ...json.model, vocab: {} } })],
    ['has ids that are no numbers', 'BAD_TOKENIZER', (json) => ({ ...json, model: { ...json.model, vocab: { a: 'b' } } })],
    ['has a huge id', 'BAD_TOKENIZER', (json) => ({ ...json, model: { ...json.model, vocab: { a: 2 ** 40 } } })],
    ['has merges of one', 'BAD_TOKENIZER', (json) => ({ ...json, model: { ...json.model, merges: ['ab'] } })],
    ['has merges of numbers', 'BAD_TOKENIZER', (json) => ({ ...json, model: { ...json.model, merges: [[1, 2]] } })],
    ['adds a token that it lacks', 'BAD_TOKENIZER', (json) => ({ ...json, added_tokens: [] })],
    ['splits in an unknown way', 'BAD_TOKENIZER', (json) => ({ ...json, pre_tokenizer: { ...split('a').pre_tokenizer, behavior: 'Odd' } })],
    ['has a pattern that is none', 'BAD_TOKENIZER', () => split('(')],
    ['has a pattern that explodes', 'BAD_TOKENIZER', () => split('(a+)+$')],
    ['has a pattern that explodes by alternatives', 'BAD_TOKENIZER', () => split('(?:a|a){0,500}b')],
    ['is WordPiece', 'UNSUPPORTED', (json) => ({ ...json, model: { ...json.model, type: 'WordPiece' } })],
    ['has an unknown pre-tokenizer', 'UNSUPPORTED', (json) => ({ ...json, pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Novel' }] } })],
    ['marks the ends of words', 'UNSUPPORTED', (json) => ({ ...json, model: { ...json.model, end_of_word_suffix: '</w>' } })],
  ])('%s: one sentence with the code %s', async (_, code, change) => {
    const failure = await open(change(structuredClone(valid))).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ code });
    expect(String((failure as Error).message)).toMatch(/^.*tokenizer\.json [^\n]+\.$/);
    expect((failure as Error).message.length).toBeLessThan(500);
  });

  it('is missing: the sentence names it', async () => {
    await expect(openTokenizer(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('is mutated anywhere: it is refused with a sentence, or works', async () => {
    const text = JSON.stringify({ ...valid, model: { ...valid.model, merges: valid.model.merges.slice(0, 5) } });
    const mutation = fc.tuple(fc.nat(text.length), fc.nat(40), fc.constantFrom('', 'null', '0', '"', '[', '{}', '-1', '\\'));
    await fc.assert(
      fc.asyncProperty(mutation, async ([at, length, insert]) => {
        try {
          (await open(text.slice(0, at) + insert + text.slice(at + length))).tokenize('Hello wörld');
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/BAD_TOKENIZER|UNSUPPORTED/) });
        }
      }),
      { numRuns: 200 },
    );
  });
});
