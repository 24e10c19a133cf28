import { describe, expect, test } from 'vitest';
import { errors } from '../../../src/errors.ts';
import type { WorkspaceSearch } from '../../../src/index/search/search.ts';
import { openWhenMade } from '../../../src/index/search/when-made.ts';

const search = {} as WorkspaceSearch;
const missing = (): Promise<WorkspaceSearch> => Promise.reject(errors.notFound('There is no index yet.'));

describe('the search of an index that is being made', () => {
  test('is opened once that is there', async () => {
    let tries = 0;
    expect(await openWhenMade(() => (++tries < 3 ? missing() : Promise.resolve(search)), 60_000)).toBe(search);
  });

  test('is not waited for longer than was said', async () => {
    await expect(openWhenMade(missing, 0)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('is not waited for where it is there and bad', async () => {
    await expect(openWhenMade(() => Promise.reject(errors.busy('Another program holds it.')), 60_000)).rejects.toMatchObject({ code: 'BUSY' });
  });

  test('is not waited for once that is cancelled', async () => {
    const stop = new AbortController();
    const opening = openWhenMade(missing, 60_000, stop.signal);
    stop.abort();
    await expect(opening).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});
