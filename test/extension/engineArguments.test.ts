import { describe, expect, it } from 'vitest';
import { describeStep, parseInstallArguments } from '../../src/extension/engineArguments.ts';

describe('the argument of l3prune.installTensorFlow', () => {
  it.each([
    [{}, 'cpu'],
    [{ gpu: false }, 'cpu'],
    [{ gpu: true }, 'gpu'],
  ])('%j is for the %s', (given, variant) => {
    expect(parseInstallArguments(given)).toBe(variant);
  });

  it.each([[null], ['gpu'], [[]], [{ gpu: 'yes' }], [{ gpu: true, force: true }]])('%j is refused', (given) => {
    expect(() => parseInstallArguments(given)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});

describe('a step of an installation', () => {
  it('says what is done, and how much of it where that is known', () => {
    expect(describeStep({ what: 'tensorflow-cpu==2.21.0 (pip)', doneBytes: 120e6, totalBytes: 274e6 })).toBe('tensorflow-cpu==2.21.0 (pip): 120 MB of 274 MB');
    expect(describeStep({ what: 'compiling the addon', doneBytes: 0, totalBytes: undefined })).toBe('compiling the addon');
  });
});
