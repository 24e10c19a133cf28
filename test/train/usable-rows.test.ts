import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openCheckpoint } from '../../src/models/checkpoint.ts';
import { prepareBatch } from '../../src/train/usable-rows.ts';
import { fixtures } from '../reference.ts';

const settings = { maxLength: 32, hardNegatives: null, separator: '; ' } as const;
const row = (query: string, positive: string, negatives: readonly string[] = []) => ({ query, positive, negatives });

test('a batch whose rows have one and the same positive has nothing to tell apart, unless a row has a hard negative', async () => {
  const { tokenizer } = await openCheckpoint(join(fixtures, 'llama', 'model'));
  const same = [row('open a file', 'function open() {}'), row('read a file', 'function open() {}')];
  expect(() => prepareBatch(same, tokenizer, settings)).toThrow(/have one and the same positive and no hard negative, so that there is nothing to tell apart/);
  expect(prepareBatch([...same, row('close a file', 'function close() {}')], tokenizer, settings).batch.documents).toHaveLength(3);
  const [first, second] = same as [(typeof same)[0], (typeof same)[0]];
  expect(prepareBatch([first, { ...second, negatives: ['function close() {}'] }], tokenizer, settings).batch.documents).toHaveLength(3);
});
