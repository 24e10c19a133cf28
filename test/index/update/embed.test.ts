import { expect, test } from 'vitest';
import { IndexEncoder } from '../../../src/index/encoder.ts';
import { defaultFileRules } from '../../../src/index/files/defaults.ts';
import { IndexWriter } from '../../../src/index/store/writer.ts';
import { embedPending, type EmbedProgress, type EmbedResult } from '../../../src/index/update/embed.ts';
import { scanWorkspace } from '../../../src/index/update/scan.ts';
import { workspaceOf } from '../files/workspace.ts';
import { indexFile } from '../store/sample.ts';
import { fileOf, optionsOf, shallow } from './indexing.ts';

const texts = 40;

/** Embeds so many functions, at a pace and for as long at a time as is said; every step, and the result. */
async function embed(pace: () => AsyncGenerator<string, void>, mostSeconds: () => number): Promise<{ steps: EmbedProgress[]; result: EmbedResult }> {
  const root = await workspaceOf({ 'one.ts': fileOf(...Array.from({ length: texts }, (_, i) => i)) });
  const writer = IndexWriter.open(await indexFile());
  const scanning = scanWorkspace(writer, root, { rules: defaultFileRules });
  while (!(await scanning.next()).done);
  const encoder = await IndexEncoder.open(shallow, optionsOf(root));
  const stored = writer.setTargetEncoder(encoder.fingerprint, encoder.dimensions, encoder.source);
  const embedding = embedPending(writer, { encoder, stored, root, mostBytes: 1e6, pace, mostSeconds });
  const steps: EmbedProgress[] = [];
  for (;;) {
    const step = await embedding.next();
    if (step.done) {
      await encoder.dispose();
      writer.close();
      return { steps, result: step.value };
    }
    steps.push(step.value);
  }
}

async function* atOnce(): AsyncGenerator<string, void> {}

test('who has all the time embeds many texts at a time, and says how far it is', async () => {
  const { steps, result } = await embed(atOnce, () => Infinity);
  expect(result).toMatchObject({ embedded: texts, skipped: 0 });
  expect(steps.length).toBeLessThan(texts);
  expect(steps.at(-1)).toMatchObject({ done: texts, total: texts });
  expect(steps.map(({ done }) => done)).toEqual(steps.map(({ done }) => done).toSorted((a, b) => a - b));
});

test('who has no time embeds one text after the other', async () => {
  const { steps, result } = await embed(atOnce, () => 0);
  expect(result.embedded).toBe(texts);
  expect(steps.map(({ done }) => done)).toEqual(Array.from({ length: texts }, (_, i) => i + 1));
});

test('who stands still says why, and does nothing meanwhile', async () => {
  let asked = 0;
  async function* paced(): AsyncGenerator<string, void> {
    if (asked++ === 1) yield* ['a reason', 'a reason'];
  }
  const { steps, result } = await embed(paced, () => 0);
  expect(result.embedded).toBe(texts);
  expect(steps.slice(0, 4).map(({ done, paused }) => [done, paused])).toEqual([
    [1, undefined],
    [1, 'a reason'],
    [1, 'a reason'],
    [2, undefined],
  ]);
});
