import { describe, expect, test } from 'vitest';
import { errors, L3PruneError } from '../../../src/errors.ts';
import { ReopeningSearch } from '../../../src/index/search/reopening.ts';
import type { WorkspaceSearch } from '../../../src/index/search/search.ts';

/** What stands in for a search: it counts how often it is closed. */
class Fake {
  closed = 0;
  close = async (): Promise<void> => void this.closed++;
}

/** A search over fakes, in the order in which they were opened; where `refuse` gives an error, opening throws it. */
function reopening(refuse: (opened: number) => Error | undefined = () => undefined): { search: ReopeningSearch; opened: Fake[]; tries: () => number } {
  const opened: Fake[] = [];
  let tries = 0;
  const search = new ReopeningSearch(async () => {
    const error = refuse(tries++);
    if (error !== undefined) throw error;
    const fake = new Fake();
    opened.push(fake);
    return fake as unknown as WorkspaceSearch;
  });
  return { search, opened, tries: () => tries };
}
const bad = (): Error => new L3PruneError('BAD_INDEX', 'It has been set aside.');

describe('a search that is opened again', () => {
  test('is opened once, though many ask at the same time', async () => {
    const { search, opened } = reopening();
    expect(await Promise.all([1, 2, 3].map((i) => search.use(() => i)))).toEqual([1, 2, 3]);
    expect(opened.map(({ closed }) => closed)).toEqual([0]);
  });

  test('is opened anew where its index is bad, and the work done once more', async () => {
    const { search, opened } = reopening();
    const seen: unknown[] = [];
    const answer = await search.use((of) => {
      seen.push(of);
      if (seen.length === 1) throw bad();
      return 'answer';
    });
    expect({ answer, seen }).toEqual({ answer: 'answer', seen: opened });
    expect(opened.map(({ closed }) => closed)).toEqual([1, 0]);
  });

  test('says so where the next is bad as well', async () => {
    const { search, opened } = reopening();
    await expect(search.use(() => Promise.reject(bad()))).rejects.toMatchObject({ code: 'BAD_INDEX' });
    expect(opened.map(({ closed }) => closed)).toEqual([1, 1]);
  });

  test('stays open after another failure', async () => {
    const { search, opened } = reopening();
    await expect(search.use(() => Promise.reject(errors.usage('No glob.')))).rejects.toMatchObject({ code: 'USAGE' });
    expect(opened.map(({ closed }) => closed)).toEqual([0]);
  });

  test('is tried again the next time where it could not be opened', async () => {
    const { search, tries } = reopening((opened) => (opened === 0 ? errors.notFound('No index yet.') : undefined));
    await expect(search.use(() => 1)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await search.use(() => 1)).toBe(1);
    expect(tries()).toBe(2);
  });

  test('is not closed under those who use it', async () => {
    const { search, opened } = reopening();
    let finish = (): void => undefined;
    const slow = search.use(() => new Promise<void>((resolve) => (finish = resolve)));
    await search.use(() => undefined);
    await search.close();
    expect(opened.map(({ closed }) => closed)).toEqual([0]);
    finish();
    await slow;
    expect(opened.map(({ closed }) => closed)).toEqual([1]);
  });

  test('that nobody has used is closed without being opened', async () => {
    const { search, tries } = reopening();
    await search.close();
    expect(tries()).toBe(0);
  });
});
