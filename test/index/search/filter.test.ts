import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chunkKinds } from '../../../src/index/chunks/types.ts';
import { FileTable, wantedKinds, type SearchFilter } from '../../../src/index/search/filter.ts';

const files = [
  ['src/index.ts', 'typescript'],
  ['src/parse/parse.ts', 'typescript'],
  ['src/parse/index.py', 'python'],
  ['docs/src/guide.md', 'markdown'],
  ['.github/ci.yml', 'yaml'],
  ['src-old/[a] b.ts', 'typescript'],
  ['README.md', 'markdown'],
] as const;

function table(from: ReadonlyArray<readonly [string, string]> = files): FileTable {
  const made = new FileTable();
  made.refresh({ files: (after = 0) => from.map(([path, language], i) => ({ id: i + 1, path, language })).filter(({ id }) => id > after) });
  return made;
}

const wanted = (filter: SearchFilter): string[] | undefined => {
  const ids = table().wanted(filter);
  return ids && files.flatMap(([path], i) => (ids.has(i + 1) ? [path] : []));
};

describe('a filter', () => {
  test('of nothing wants all', () => {
    for (const filter of [{}, { languages: [], paths: [], kinds: [] }, { kinds: ['class'] as const }]) expect(wanted(filter)).toBeUndefined();
    expect(wantedKinds({})).toBeUndefined();
    expect(wantedKinds({ kinds: [] })).toBeUndefined();
  });

  test('of languages wants theirs, in any case', () => {
    expect(wanted({ languages: ['Python', 'yaml'] })).toEqual(['src/parse/index.py', '.github/ci.yml']);
    expect(wanted({ languages: ['cobol'] })).toEqual([]);
  });

  test.each<[string[], string[]]>([
    [['*.md'], ['docs/src/guide.md', 'README.md']],
    [['src/**/*.ts'], ['src/index.ts', 'src/parse/parse.ts']],
    [['src'], ['src/index.ts', 'src/parse/parse.ts', 'src/parse/index.py', 'docs/src/guide.md']],
    [['src/'], ['src/index.ts', 'src/parse/parse.ts', 'src/parse/index.py']],
    [['/src/*'], ['src/index.ts']],
    [['./src/parse'], ['src/parse/parse.ts', 'src/parse/index.py']],
    [['index.*'], ['src/index.ts', 'src/parse/index.py']],
    [['index.ts'], ['src/index.ts']],
    [['**/parse/**'], ['src/parse/parse.ts', 'src/parse/index.py']],
    [['*.{py,yml}'], ['src/parse/index.py', '.github/ci.yml']],
    [['README.md', '.github/**'], ['.github/ci.yml', 'README.md']],
    [['src-old/\\[a\\]*'], ['src-old/[a] b.ts']],
    [['**'], files.map(([path]) => path)],
    [['nothing'], []],
  ])('of paths %j wants what one of them matches', (paths, expected) => {
    expect(wanted({ paths })).toEqual(expected);
  });

  test('of both wants what both want', () => {
    expect(wanted({ languages: ['typescript'], paths: ['parse', '*.md'] })).toEqual(['src/parse/parse.ts']);
  });

  test.each<[string[], RegExp]>([
    [['src/('], /^The glob "src\/\(" holds a group/],
    [['('], /holds a group/],
    [[''], /^The glob "" is empty/],
    [[' '], /./],
    [['!src'], /^The filter !src says what is not wanted: name what is\.$/],
    [['../a'], /leads out of the folder/],
    [['a'.repeat(2000)], /longer than 1000 characters/],
    [['*a*a*a*a*a*'], /too many stars/],
    [Array.from({ length: 51 }, () => 'a'), /^A filter takes up to 50 globs\.$/],
  ])('of paths %# is refused in a sentence', (paths, sentence) => {
    expect(() => table().wanted({ paths })).toThrow(expect.objectContaining({ code: 'USAGE', message: expect.stringMatching(sentence) }));
  });

  test('is an answer or a refusal whatever is written', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: fc.constantFrom('*', '?', '[', ']', '{', '}', '(', '!', '\\', '/', '.', ',', 'a', '-', '\0', '\ud800') }), { maxLength: 4 }), (paths) => {
        try {
          const found = wanted({ paths });
          if (paths.length > 0) expect(files.map(([path]) => path)).toEqual(expect.arrayContaining(found!));
        } catch (error) {
          expect(error).toMatchObject({ code: 'USAGE' });
        }
      }),
    );
  });

  test('of kinds wants them by the numbers that the store has', () => {
    expect(wantedKinds({ kinds: ['class', 'function'] })).toEqual(new Set([chunkKinds.indexOf('class'), chunkKinds.indexOf('function')]));
  });

  test('that can match nothing says why', () => {
    expect(table().notesOn({ languages: ['typscript', 'python'] })).toEqual(['No file is in typscript: there are markdown, python, typescript, yaml.']);
    expect(table().notesOn({ paths: ['lib/**'] })).toEqual([expect.stringMatching(/^No file matches lib\/\*\*: /)]);
    expect(table().notesOn({ languages: ['python'], paths: ['src'] })).toEqual([]);
    expect(table([]).notesOn({ languages: ['python'] })).toEqual([]);
  });

  test('sees files that came later', () => {
    const grown = new FileTable();
    const all = [{ id: 1, path: 'a.py', language: 'python' }];
    const reader = { files: (after = 0) => all.filter(({ id }) => id > after) };
    grown.refresh(reader);
    all.push({ id: 7, path: 'b.py', language: 'python' });
    grown.refresh(reader);
    expect(grown.wanted({ languages: ['python'] })).toEqual(new Set([1, 7]));
  });
});
