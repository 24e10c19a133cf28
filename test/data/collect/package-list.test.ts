import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { keyOf, readPackageList } from '../../../src/data/collect/package-list.ts';
import { useFolder } from '../../models/folder.ts';

const folder = useFolder();
const read = async (text: string) => {
  await writeFile(folder.path('list.txt'), text);
  return readPackageList(folder.path('list.txt'));
};

describe('a list of packages', () => {
  test('names one a line, with a version or without, and may have comments and blank lines', async () => {
    expect(await read('\uFEFF# Python\npypi:click\r\n\npypi:attrs==25.1.0 # pinned\nnpm:@scope/name\nnpm:left-pad@1.3.0\n')).toEqual([
      { registry: 'pypi', name: 'click' },
      { registry: 'pypi', name: 'attrs', version: '25.1.0' },
      { registry: 'npm', name: '@scope/name' },
      { registry: 'npm', name: 'left-pad', version: '1.3.0' },
    ]);
  });

  test('has each package once, however PyPI lets it be spelled', async () => {
    expect(await read('pypi:Ruamel.Yaml\npypi:ruamel_yaml\nnpm:yaml\nnpm:yaml')).toEqual([
      { registry: 'pypi', name: 'ruamel-yaml' },
      { registry: 'npm', name: 'yaml' },
    ]);
  });

  test.each(['click', 'pypi:--index-url=x', 'pypi:a b', 'npm:../here', 'npm:git+ssh://host/x', 'npm:-g', 'npm:a@latest', 'npm:@scope', 'npm:a@npm:b', 'pypi:x @ file:///y', 'crates:serde'])(
    'is refused with the line that names no package: %s',
    async (line) => {
      await expect(read(`npm:fine\n${line}\n`)).rejects.toMatchObject({ code: 'BAD_DATA', message: expect.stringContaining('line 2 names no package') as string });
    },
  );

  test('is refused where it is empty or not there', async () => {
    await expect(read('# nothing\n')).rejects.toMatchObject({ code: 'BAD_DATA' });
    await expect(readPackageList(folder.path('none.txt'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(readPackageList(folder.path())).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

test('the packages that were mined to train on are none of those that are measured with', async () => {
  const folder = fileURLToPath(new URL('../../bench/mining/', import.meta.url));
  const [mined, measured] = await Promise.all(['packages.txt', 'evaluation-packages.txt'].map((file) => readPackageList(`${folder}${file}`)));
  expect(mined!.every(({ version }) => version !== undefined)).toBe(true);
  const names = new Set(measured!.map(keyOf));
  expect(mined!.map(keyOf).filter((name) => names.has(name))).toEqual([]);
});
