import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { beforeAll, expect, it } from 'vitest';
import { DEFAULT_MODEL } from '../../src/models/default-model.ts';
import { resolveModel } from '../../src/models/sources.ts';
import { openTokenizer } from '../../src/models/tokenizer.ts';
import type { Tokenizer } from '../../src/models/types.ts';
import { defaultCheckpoint, describeWithModel } from '../default-model.ts';

const fixture = async (name: string) =>
  JSON.parse(await readFile(join(import.meta.dirname, '..', 'fixtures', 'smollm2', name), 'utf8'));

describeWithModel('the default model', () => {
  it('is the file with the SHA-256 that everything is measured with, and says where it comes from', async () => {
    const model = await resolveModel(DEFAULT_MODEL);
    expect(model.sha256).toBe('b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53');
    expect(model.directory).toBe(await defaultCheckpoint());
    expect(model.how).toMatch(/^SmolLM2-135M-Instruct\.Q4_1\.gguf \(SHA-256 b179c9523d0e…\) .+\.$/);
  });
});

describeWithModel('the tokenizer of SmolLM2', () => {
  let tokenizer: Tokenizer;
  beforeAll(async () => {
    tokenizer = await openTokenizer(await defaultCheckpoint());
  });

  it('gives the ids and spans of the reference for every case', async () => {
    const { cases } = await fixture('tokenizer_cases.json');
    for (const { text, ids, spans, ids_with_special } of cases) {
      const plain = tokenizer.tokenize(text, { addSpecialTokens: false });
      expect({ text, ids: plain.ids, spans: plain.spans }).toEqual({ text, ids, spans });
      expect(tokenizer.tokenize(text).ids).toEqual(ids_with_special);
    }
  });

  it('gives what the reference model was fed, cut to its length', async () => {
    const reference = await fixture('reference.json');
    for (const input of reference.inputs) {
      const { ids, spans, added } = tokenizer.tokenize(input.full, { maxTokens: reference.max_length });
      expect({ ids, spans, added: added.map(Number) }).toEqual({
        ids: input.ids,
        spans: input.spans,
        added: input.added_by_tokenizer,
      });
    }
  });

  it('covers every character of any text, in order, but those it has no token for', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const characters = [...text.toWellFormed()];
        let covered = 0;
        for (const [start, end] of [...tokenizer.tokenize(text).spans, [characters.length, characters.length] as const]) {
          for (const character of characters.slice(covered, start)) expect(tokenizer.tokenize(character).ids).toEqual([]);
          covered = Math.max(covered, end);
        }
        expect(covered).toBe(characters.length);
      }),
    );
  });

  it('answers for ten megabytes of anything when a few tokens are asked for', () => {
    expect(tokenizer.tokenize('\x13'.repeat(1e7), { maxTokens: 512 }).ids).toEqual([]);
    for (const unit of ['a', ' ', '\n', '=', '1', '🙂', '日本', 'x;', '\ud800'])
      expect(tokenizer.tokenize(unit.repeat(1e7 / unit.length), { maxTokens: 512 }).ids).toHaveLength(512);
  });
});
