import { beforeAll, describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import type { CutCurve, LossCurve } from '../../src/prune/curve.ts';
import { parseCurve, parseManifest } from '../../src/prune/manifest.ts';
import { L3PruneError } from '../../src/errors.ts';
import { defaultTraining } from '../../src/train/settings.ts';
import { hostileValue, mutate, mutations, replaceAt, runs, seed } from '../models/mutation.ts';

const layers = [3.5, 3.1, 3.3, 2.9];
const at = { small: 2, large: 4, losses: layers, stderr: layers.map(() => 0.1) };
const cuts: CutCurve = {
  layers: layers.map((loss, i) => ({ layer: i + 1, loss, stderr: 0.1 })),
  small: 2,
  large: 4,
  confidence: { small: [[2, 1]], large: [[4, 0.9], [3, 0.1]] },
  scales: { 20: at, 50: at },
};
const curve: LossCurve = {
  ...cuts,
  calibrated: { ...cuts, calibration: 'mean' },
  warnings: ['The small cut keeps 2 layers: fewer than 3 rarely make a useful encoder.'],
  settings: { batchSize: 4, batches: 3, maxLength: 96, attention: 'causal', pooling: 'weighted_mean', separator: '; ', scale: 50, seed: 42, order: 'file' },
  model: { name: 'model', fingerprint: 'f'.repeat(64), layers: 4 },
  data: { fingerprint: 'd'.repeat(64), triplets: 12, skipped: 0 },
  tokens: 1000,
  fill: 0.95,
  seconds: 1.5,
  peakBytes: 1e8,
};
const base = { name: 'model', fingerprint: 'f'.repeat(64), layers: 4 };
const trained = {
  settings: { layers: 2, ...defaultTraining },
  adapter: null,
  data: { fingerprint: 'd'.repeat(64), rows: 640, rejected: 1, repeated: 2 },
  steps: 20,
  step: 10,
  loss: { first: 3.5, last: 1.5, lowest: 1.4, window: 5 },
  curve: [[10, 2.5], [20, 1.5]],
  evaluation: { metric: 'ndcgAt10', fingerprint: 'e'.repeat(64), before: 0.03, best: { step: 10, value: 0.5 }, last: { step: 20, value: 0.4 } },
  tokens: 10_000,
  seconds: 60.5,
};
const manifest = {
  format: 2,
  createdBy: 'l3prune 0.1.0',
  created: '2031-05-09T17:45:02.000Z',
  base,
  layers: 2,
  encoder: { attention: 'causal', pooling: 'mean', maxLength: 96, instruction: 'Find:', separator: ' ' },
  history: [
    { step: 'prune', date: '2031-05-09T17:45:02.000Z', from: base, layers: 2, depth: { kind: 'small' } },
    { step: 'train', date: '2031-05-09T18:45:02.000Z', from: base, layers: 2, depth: { kind: 'layers', layers: 2 }, training: trained },
  ],
  curve,
  calibration: { kind: 'router', components: 2, rows: 64 },
  adapter: { merged: true },
};

const readers: ReadonlyArray<readonly [name: string, read: (bytes: Uint8Array) => unknown, valid: object]> = [
  ['a loss curve', (bytes) => parseCurve('curve.json', bytes), curve],
  ['a manifest', (bytes) => parseManifest('l3prune.json', bytes), manifest],
];

describe.each(readers)('%s', (_, read, valid) => {
  let bytes: Buffer;
  beforeAll(() => {
    bytes = Buffer.from(JSON.stringify(valid));
  });

  /** What it reads, or undefined where it refuses with a sentence of ours. */
  const tryToRead = (changed: Uint8Array): unknown => {
    try {
      return read(changed);
    } catch (error) {
      expect(error).toBeInstanceOf(L3PruneError);
      expect((error as L3PruneError).code).toBe('BAD_MANIFEST');
      expect((error as L3PruneError).message).toMatch(/^[^\n]{1,600}\.$/);
      return undefined;
    }
  };

  it('is read as it was written', () => {
    expect(read(bytes)).toEqual(valid);
  });

  it('with bytes changed is read or refused in one sentence', () => {
    fc.assert(fc.property(mutations, (changes) => void tryToRead(mutate(bytes, changes, bytes.length))), { numRuns: runs(500), ...seed });
  });

  it('with a value of another kind anywhere is read or refused in one sentence', () => {
    fc.assert(
      fc.property(fc.nat(), hostileValue, (place, value) => void tryToRead(Buffer.from(JSON.stringify(replaceAt(valid, place, value))))),
      { numRuns: runs(500), ...seed },
    );
  });

  it('is never read to cut at a layer that it does not have', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: -1, max: 9 }), (place, value) => {
        const found = tryToRead(Buffer.from(JSON.stringify(replaceAt(valid, place, value)))) as { curve?: LossCurve | null } & LossCurve;
        const read = found?.curve ?? found;
        for (const part of [read, read?.calibrated]) if (Array.isArray(part?.layers)) expect(part.large).toBeLessThanOrEqual(part.layers.length);
      }),
      { numRuns: runs(500), ...seed },
    );
  });
});
