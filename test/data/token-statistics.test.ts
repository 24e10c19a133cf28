import { expect, test } from 'vitest';
import { measureTokens } from '../../src/data/token-statistics.ts';
import type { TrainingData } from '../../src/data/training.ts';
import type { Triplet } from '../../src/data/triplet.ts';

const words = (text: string, instruction?: string): number => `${instruction ?? ''} ${text}`.trim().split(/\s+/).length;
const batches: readonly (readonly Triplet[])[] = [
  [
    { query: 'a b', positive: 'a b c d e f', negatives: ['a', 'a b c'], instruction: 'Find it' },
    { query: 'a', positive: 'a b', negatives: [] },
  ],
  [{ query: 'never', positive: 'asked', negatives: ['for'] }],
];
const data = { batch: async (step: number) => batches[step] } as unknown as TrainingData;

test('the tokens of the first batches are counted by role, as the model will see them', async () => {
  expect(await measureTokens(data, { batches: 1, maxLength: 4, countTokens: words })).toEqual({
    rows: 2,
    query: { texts: 2, meanTokens: 2.5, longestTokens: 4, truncated: 0 },
    positive: { texts: 2, meanTokens: 3, longestTokens: 4, truncated: 0.5 },
    negative: { texts: 2, meanTokens: 2, longestTokens: 3, truncated: 0 },
  });
});

test('a tokenizer may stop one token after the longest text that is read', async () => {
  const limits = new Set<number>();
  await measureTokens(data, {
    batches: 2,
    maxLength: 4,
    countTokens: (text, instruction, most) => {
      limits.add(most);
      return Math.min(words(text, instruction), most);
    },
  });
  expect([...limits]).toEqual([5]);
});

test('roles that no text has have no tokens', async () => {
  const pairs = { batch: async () => [{ query: 'a', positive: 'b', negatives: [] }] } as unknown as TrainingData;
  const { negative } = await measureTokens(pairs, { batches: 1, maxLength: 4, countTokens: words });
  expect(negative).toEqual({ texts: 0, meanTokens: 0, longestTokens: 0, truncated: 0 });
});

test('counting can be cancelled', async () => {
  const options = { batches: 2, maxLength: 4, countTokens: words, signal: AbortSignal.abort() };
  await expect(measureTokens(data, options)).rejects.toMatchObject({ code: 'CANCELLED' });
});
