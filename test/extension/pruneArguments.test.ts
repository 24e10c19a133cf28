import { describe, expect, it } from 'vitest';
import { parsePruneArguments } from '../../src/extension/pruneArguments.ts';
import type { PruneJob } from '../../src/protocol/prune.ts';

const defaults = {
  model: 'default-model',
  data: { kind: 'workspace', path: '/code' } as PruneJob['data'] | undefined,
  depths: [{ kind: 'small' }] as PruneJob['depths'],
  settings: { batchSize: 32, batches: 8 },
};

describe('the argument of l3prune.pruneModel', () => {
  it('may leave everything out', () => {
    expect(parsePruneArguments({}, defaults)).toEqual(defaults);
  });

  it('is taken over the defaults', () => {
    const given = {
      model: 'owner/name',
      data: { kind: 'triplets', path: '/t.jsonl' },
      depths: [{ kind: 'layers', layers: 8 }, { kind: 'percent', percent: 33.3 }],
      settings: { batchSize: 4, order: 'file' },
    };
    expect(parsePruneArguments(given, defaults)).toEqual({ ...given, settings: { batchSize: 4, batches: 8, order: 'file' } });
  });

  it.each([
    ['no object', 'smollm2', 'the argument'],
    ['a field it does not have', { models: 'm' }, 'models'],
    ['a model of no name', { model: '' }, 'model'],
    ['data of no kind', { data: '/t.jsonl' }, 'data'],
    ['no depth', { depths: [] }, 'depths'],
    ['no layers', { depths: [{ kind: 'layers', layers: 0 }] }, 'depths.0'],
    ['a share where percent are asked for', { depths: [{ kind: 'percent', percent: 0.5 }] }, 'depths.0'],
    ['a setting of the wrong type', { settings: { batchSize: '4' } }, 'settings.batchSize'],
  ])('is refused with %s', (_what, given, where) => {
    expect(() => parsePruneArguments(given, defaults)).toThrow(expect.objectContaining({ code: 'USAGE', message: expect.stringContaining(where) }));
  });

  it('needs data where no folder is open', () => {
    expect(() => parsePruneArguments({}, { ...defaults, data: undefined })).toThrow(/No folder is open/);
  });
});
