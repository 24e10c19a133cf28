import { describe, expect, test } from 'vitest';
import { partsToLookAt } from '../../../src/index/files/parts.ts';

describe('what is looked at again', () => {
  test('is what has changed', () => {
    expect(partsToLookAt(['a.ts', 'src/b.ts', 'src/.gitignore.md'])).toEqual(['a.ts', 'src/b.ts', 'src/.gitignore.md']);
  });

  test('is the whole folder of an ignore file', () => {
    expect(partsToLookAt(['src/deep/.gitignore', 'lib/.l3pruneignore', 'a.ts'])).toEqual(['src/deep', 'lib', 'a.ts']);
  });

  test.each([[['a.ts', '']], [['.gitignore']], [['.l3pruneignore', 'a.ts']]])('is everything for %j', (changed) => {
    expect(partsToLookAt(changed)).toBeUndefined();
  });
});
