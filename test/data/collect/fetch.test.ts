import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { packageFetcher } from '../../../src/data/collect/fetch.ts';
import { findPip } from '../../../src/models/pip.ts';
import { snapshot, useFolder } from '../../models/folder.ts';
import { skipBecause } from '../../skips.ts';

const folder = useFolder();
const hasPip = (await findPip()) !== undefined;
if (!hasPip) skipBecause('No wheel is fetched for mining: pip is not on this machine.');

const put = async (name: string, text: string): Promise<void> => {
  await mkdir(dirname(folder.path(name)), { recursive: true });
  await writeFile(folder.path(name), text);
};
const filesOf = async (directory: string): Promise<string[]> => Object.keys(await snapshot(directory)).map((file) => relative(directory, file)).sort();
const options = { isExcluded: (file: string) => file.startsWith('secret/') };

/** The environment in which pip and npm find nothing but what the test publishes. */
beforeEach(() => {
  vi.stubEnv('PIP_NO_INDEX', '1');
  vi.stubEnv('PIP_FIND_LINKS', folder.path('wheels'));
  vi.stubEnv('PIP_CONFIG_FILE', '/dev/null');
  vi.stubEnv('npm_config_cache', folder.path('npm-cache'));
});
afterEach(() => {
  vi.unstubAllEnvs();
});

describe.skipIf(!hasPip)('a package of PyPI', () => {
  /** Python makes the archive, as a build would. */
  const publish = async (entries: Readonly<Record<string, string>>): Promise<void> => {
    await mkdir(folder.path('wheels'), { recursive: true });
    const script = 'import sys,json,zipfile\nz=zipfile.ZipFile(sys.argv[1],"w",zipfile.ZIP_DEFLATED)\nfor n,t in json.load(sys.stdin).items(): z.writestr(n,t)\nz.close()';
    const info = { 'thing-1.2.dist-info/METADATA': 'Metadata-Version: 2.1\nName: thing\nVersion: 1.2\nLicense: MIT\n', 'thing-1.2.dist-info/WHEEL': 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n' };
    const made = spawnSync('python3', ['-c', script, folder.path('wheels', 'thing-1.2-py3-none-any.whl')], { input: JSON.stringify({ ...entries, ...info, 'thing-1.2.dist-info/RECORD': '' }), encoding: 'utf8' });
    expect(made.stderr).toBe('');
  };

  test('gives its source files, version and licence, and none of what is excluded, too large or no code', async () => {
    await publish({ 'thing/a.py': 'x = 1\n', 'thing/data.bin': '1', 'secret/b.py': 'y = 1\n', 'thing/huge.py': '#'.repeat(2_000_000), 'thing/node_modules/c.js': 'let z;' });
    const fetch = await packageFetcher(new Set(['pypi']));
    const fetched = await fetch({ registry: 'pypi', name: 'thing' }, folder.path('work'), options);
    expect(fetched).toMatchObject({ version: '1.2', licence: 'MIT' });
    expect(await filesOf(fetched.directory)).toEqual(['thing-1.2.dist-info/METADATA', 'thing/a.py']);
  });

  test('is never built: one without a wheel is refused with the reason', async () => {
    await put('wheels/evil-1.0/setup.py', "open('ran', 'w')");
    spawnSync('tar', ['-czf', folder.path('wheels', 'evil-1.0.tar.gz'), '-C', folder.path('wheels'), 'evil-1.0']);
    const fetch = await packageFetcher(new Set(['pypi']));
    await expect(fetch({ registry: 'pypi', name: 'evil', version: '1.0' }, folder.path('work'), options)).rejects.toMatchObject({ code: 'MODEL_UNAVAILABLE', message: expect.stringContaining('evil==1.0') as string });
    expect((await filesOf(folder.path())).filter((file) => file.endsWith('ran'))).toEqual([]);
  });
}, 60_000);

describe('a package of npm', () => {
  let server: Server;
  let archive: Buffer;
  beforeEach(async () => {
    await put('npm/package/package.json', JSON.stringify({ name: '@scope/thing', version: '3.4.5', license: 'ISC', scripts: { prepack: 'touch ran', postpack: 'touch ran', install: 'touch ran' } }));
    await put('npm/package/lib/a.js', 'let a;');
    await put('npm/package/secret/b.js', 'let b;');
    await put('npm/package/node_modules/other/c.js', 'let c;');
    await put('npm/package/readme.md', 'words');
    spawnSync('tar', ['-czf', folder.path('thing.tgz'), '-C', folder.path('npm'), 'package']);
    archive = await readFile(folder.path('thing.tgz'));
    server = createServer((request, response) => {
      if (request.url === '/thing.tgz') return response.end(archive);
      if (decodeURIComponent(request.url ?? '') !== '/@scope/thing') return response.writeHead(404).end('{}');
      const dist = { tarball: `${registry()}/thing.tgz`, integrity: `sha512-${createHash('sha512').update(archive).digest('base64')}` };
      const versions = { '3.4.5': { name: '@scope/thing', version: '3.4.5', dist } };
      return response.end(JSON.stringify({ name: '@scope/thing', 'dist-tags': { latest: '3.4.5' }, versions }));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    vi.stubEnv('npm_config_registry', registry());
  });
  afterEach(() => void server.close());
  const registry = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  test('gives its source files, version and licence, and runs none of its scripts', async () => {
    const fetch = await packageFetcher(new Set(['npm']));
    const fetched = await fetch({ registry: 'npm', name: '@scope/thing' }, folder.path('work'), options);
    expect(fetched).toMatchObject({ version: '3.4.5', licence: 'ISC' });
    expect(await filesOf(fetched.directory)).toEqual(['lib/a.js', 'package.json']);
    expect((await filesOf(folder.path())).filter((file) => file.endsWith('ran'))).toEqual([]);
  });

  test('that is not there, or not in that version, is refused with the reason', async () => {
    const fetch = await packageFetcher(new Set(['npm']));
    await expect(fetch({ registry: 'npm', name: 'none' }, folder.path('work'), options)).rejects.toMatchObject({ code: 'INSTALL_FAILED', message: expect.stringContaining('npm could not download none') as string });
    await expect(fetch({ registry: 'npm', name: '@scope/thing', version: '9.9.9' }, folder.path('work2'), options)).rejects.toMatchObject({ code: 'INSTALL_FAILED' });
  });

  test('needs npm, and says so where it is not there', async () => {
    vi.stubEnv('PATH', folder.path());
    await expect(packageFetcher(new Set(['npm']))).rejects.toMatchObject({ code: 'MISSING_TOOL' });
    await expect(packageFetcher(new Set(['pypi']))).rejects.toMatchObject({ code: 'MISSING_TOOL' });
  });
}, 60_000);
