import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, writeFileSync } from 'node:fs';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { L3PruneError } from '../../../src/errors.ts';
import { reasonOf } from '../../../src/index/files/reasons.ts';
import { walkWorkspace } from '../../../src/index/files/walk.ts';
import { allOf, collected, defaults, put, walked, workspaceOf } from './workspace.ts';

describe('the order', () => {
  test('is by name, with the files of a folder before its folders', async () => {
    const root = await workspaceOf({ 'b/z.ts': '1', 'b/a/deep.ts': '1', 'a/y.ts': '1', 'c.ts': '1', 'A.ts': '1', 'a-b/x.ts': '1' });
    expect((await walked(root)).files).toEqual(['A.ts', 'c.ts', 'a/y.ts', 'a-b/x.ts', 'b/z.ts', 'b/a/deep.ts']);
  });

  test('is the same however many files a folder has', async () => {
    const names = Array.from({ length: 500 }, (_, index) => `${String(index).padStart(3, '0')}.md`);
    const root = await workspaceOf(Object.fromEntries(names.map((name) => [name, name])));
    expect((await walked(root)).files).toEqual(names);
  });

  test('tells of each file its size, its time and its language', async () => {
    const root = await workspaceOf({ 'src/main.py': 'pass\n' });
    const [found] = await allOf(walkWorkspace(root, defaults));
    expect(found).toEqual({ file: { path: 'src/main.py', absolute: path.join(root, 'src', 'main.py'), size: 5, mtimeMs: expect.any(Number), language: 'python' } });
  });
});

describe('ignore files', () => {
  test('of a deeper folder go before those above it, and what they keep is kept', async () => {
    const root = await workspaceOf({
      '.gitignore': '*.log\n/only-here.ts\ntmp/\n',
      'a.log': '1',
      'only-here.ts': '1',
      'src/only-here.ts': '1',
      'src/.gitignore': '!kept.log\n',
      'src/kept.log': '1',
      'src/deep/kept.log': '1',
      'src/deep/other.log': '1',
      'src/tmp/x.ts': '1',
    });
    expect(await walked(root)).toEqual({
      files: ['src/kept.log', 'src/only-here.ts', 'src/deep/kept.log'],
      excluded: {
        '.gitignore': 'hidden',
        'a.log': 'ignored by git',
        'only-here.ts': 'ignored by git',
        'src/.gitignore': 'hidden',
        'src/deep/other.log': 'ignored by git',
        'src/tmp/': 'ignored by git',
      },
    });
  });

  test('of the repository count where the root is inside of one, and so does its info/exclude', async () => {
    const repository = await workspaceOf({ '.git/info/exclude': 'private.md\n', '.gitignore': '*.out\n', 'part/a.ts': '1', 'part/private.md': '1', 'part/b.out': '1' });
    expect((await walked(path.join(repository, 'part'))).excluded).toEqual({ 'b.out': 'ignored by git', 'private.md': 'ignored by git' });
  });

  test('of the user count in a repository', async () => {
    const root = await workspaceOf({ '.git/': '', 'a.ts': '1', 'a.ts.orig': '1' });
    await put(process.env['XDG_CONFIG_HOME'] as string, 'git/ignore', '*.orig\n');
    expect((await walked(root)).files).toEqual(['a.ts']);
  });

  test('above a root that they ignore say nothing: it was named', async () => {
    const repository = await workspaceOf({ '.git/': '', '.gitignore': 'generated/\n', 'generated/a.ts': '1' });
    expect((await walked(path.join(repository, 'generated'))).files).toEqual(['a.ts']);
  });

  test('of git do not count where they are not to', async () => {
    const root = await workspaceOf({ '.gitignore': '*.log\n', 'a.log': '1' });
    expect((await walked(root, { gitignore: false })).files).toEqual(['a.log']);
  });

  test('of ours count at every level, whether or not those of git do', async () => {
    const root = await workspaceOf({ '.l3pruneignore': '/docs/\n*.txt\n', 'docs/a.md': '1', 'a.txt': '1', 'src/.l3pruneignore': '!b.txt\nc.ts\n', 'src/b.txt': '1', 'src/c.ts': '1' });
    for (const gitignore of [true, false])
      expect(await walked(root, { gitignore })).toEqual({
        files: ['src/b.txt'],
        excluded: {
          '.l3pruneignore': 'hidden',
          'a.txt': 'ignored by .l3pruneignore',
          'docs/': 'ignored by .l3pruneignore',
          'src/.l3pruneignore': 'hidden',
          'src/c.ts': 'ignored by .l3pruneignore',
        },
      });
  });

  test('of ours bring back what git ignores and what is left out by its name, but no secrets', async () => {
    const root = await workspaceOf({
      '.gitignore': 'generated/\n.env\n',
      '.l3pruneignore': '!generated/\n!vendor/\n!.env\n!.git/\n',
      '.git/config': '1',
      'generated/deep/a.ts': '1',
      'vendor/b.go': '1',
      'vendor/server.key': '1',
      '.env': '1',
    });
    const { files, excluded } = await walked(root);
    expect(files).toEqual(['generated/deep/a.ts', 'vendor/b.go']);
    expect(excluded).toMatchObject({ '.env': 'looks like a secret', 'vendor/server.key': 'looks like a secret', '.git/': 'version control' });
  });

  test('with patterns that mean nothing are read as git reads them', async () => {
    const root = await workspaceOf({ '.gitignore': '[\n\\\n[z-a]\n!\n#\n***/**\0\n(\n', '.l3pruneignore': '{}\n!!\n/\n', 'a.ts': '1' });
    expect((await walked(root)).files).toEqual(['a.ts']);
  });

  test('that are links or pipes are not read', async () => {
    const root = await workspaceOf({ 'a.ts': '1', 'sub/b.ts': '1', 'rules': '*.ts\n' });
    await symlink('rules', path.join(root, '.gitignore'));
    execFileSync('mkfifo', [path.join(root, 'sub', '.gitignore')]);
    expect((await walked(root)).files).toEqual(['a.ts', 'rules', 'sub/b.ts']);
  });
});

describe('globs', () => {
  const files = { 'src/a.ts': '1', 'src/a.test.ts': '1', 'src/deep/b.py': '1', 'docs/c.md': '1', 'd.md': '1', '.github/workflows/ci.yml': '1' };

  test('include only the files that one of them matches, from the root', async () => {
    const root = await workspaceOf(files);
    expect(await walked(root, { include: ['src/**/*.ts', '*.md'] })).toEqual({
      files: ['d.md', 'src/a.test.ts', 'src/a.ts'],
      excluded: { '.github/workflows/ci.yml': 'not included by a glob', 'docs/c.md': 'not included by a glob', 'src/deep/b.py': 'not included by a glob' },
    });
  });

  test.each(['src', 'src/', '/src', './src/', 'src/**'])('take a folder with all that is in it, as %s', async (glob) => {
    const root = await workspaceOf(files);
    expect(await walked(root, { include: [glob] })).toEqual({
      files: ['src/a.test.ts', 'src/a.ts', 'src/deep/b.py'],
      excluded: { '.github/': 'not included by a glob', 'd.md': 'not included by a glob', 'docs/': 'not included by a glob' },
    });
    const { excluded } = await walked(root, { exclude: [glob] });
    expect(excluded).toEqual({ 'src/': 'excluded by a glob' });
  });

  test('exclude what is included, too', async () => {
    const root = await workspaceOf(files);
    expect((await walked(root, { include: ['src/**'], exclude: ['**/*.test.ts', '{docs,src}/deep'] })).files).toEqual(['src/a.ts']);
  });

  test('that are included bring back the folder that they name, and nothing that they do not name', async () => {
    const root = await workspaceOf({ 'package.json': '{}', '.gitignore': 'dist/\n', 'dist/a.js': '1', 'dist/node_modules/b.js': '1', 'node_modules/c/d.js': '1', 'yarn.lock': '1', 'go.sum': '1' });
    expect((await walked(root, { include: ['**/*.js'] })).files).toEqual([]);
    expect((await walked(root, { include: ['dist/**', 'yarn.lock', 'node_modules/c/*.js'] })).files).toEqual(['yarn.lock', 'dist/a.js', 'node_modules/c/d.js']);
  });

  test('that are included bring back no secrets, nothing too large and nothing of git', async () => {
    const root = await workspaceOf({ '.env': 'A=1', 'id_rsa': '1', '.ssh/config': '1', '.git/config': '1', 'big.ts': 'x'.repeat(101), 'link/': '' });
    await symlink('big.ts', path.join(root, 'link', 'a.ts'));
    const include = ['.env', 'id_rsa', '.ssh/**', '.git/config', 'big.ts', 'link/a.ts'];
    expect(await walked(root, { include, mostBytes: 100 })).toEqual({
      files: [],
      excluded: {
        '.env': 'looks like a secret',
        '.git/': 'version control',
        '.ssh/': 'looks like a secret',
        'big.ts': 'too large',
        'id_rsa': 'looks like a secret',
        'link/a.ts': 'symbolic link',
      },
    });
  });

  test('match names with brackets and parentheses', async () => {
    const root = await workspaceOf({ 'app/(auth)/[id]/page.tsx': '1', 'app/auth/x.tsx': '1' });
    expect((await walked(root, { include: [String.raw`app/\(auth\)/**`] })).files).toEqual(['app/(auth)/[id]/page.tsx']);
    expect((await walked(root, { include: ['app/*/[id]/*'] })).files).toEqual(['app/(auth)/[id]/page.tsx']);
  });

  test.each([
    ['', 'The glob "" is empty.'],
    ['/', 'The glob "" is empty.'],
    ['!src/**', 'The glob "!src/**" begins with "!": give what is to be left out as an exclusion, or write "\\!" for the character itself.'],
    ['../other/**', 'The glob "../other/**" leads out of the folder that is indexed.'],
    ['(a+)+b', 'The glob "(a+)+b" holds a group: write {a,b} for a choice, and "\\(" for the character itself.'],
    ['{a', 'The glob "{a" is malformed: look for a bracket or brace that is not closed, or put \\ before a character that is meant itself.'],
    ['[z-a]', 'The glob "[z-a]" is malformed: look for a bracket or brace that is not closed, or put \\ before a character that is meant itself.'],
    ['*a*a*a*a*b', 'The glob "*a*a*a*a*b" holds too many stars: at most 4 in a name and 5 times "**".'],
    ['x'.repeat(1001), `The glob "${'x'.repeat(80)}…" is longer than 1000 characters.`],
  ])('that make no sense are refused: %j', async (glob, sentence) => {
    const root = await workspaceOf({});
    await expect(walked(root, { include: [glob] })).rejects.toEqual(new L3PruneError('USAGE', sentence));
    await expect(walked(root, { exclude: [glob] })).rejects.toEqual(new L3PruneError('USAGE', sentence));
  });
});

describe('parts of a workspace', () => {
  const files = { '.gitignore': '*.log\n', 'a.ts': '1', 'src/.gitignore': 'c.ts\n', 'src/a.ts': '1', 'src/b.ts': '1', 'src/c.ts': '1', 'src/deep/d.ts': '1', 'src/deep/e.log': '1', 'src/deeper/f.ts': '1', 'vendor/x/y.go': '1' };
  const partsOf = async (...only: string[]): Promise<unknown> => collected(await allOf(walkWorkspace(await workspaceOf(files), defaults, { only })));

  test('are walked by the rules of the whole, and of all else nothing is said', async () => {
    expect(await partsOf('src/b.ts', 'src/deep', 'src/c.ts', 'gone.ts', 'gone/too.ts')).toEqual({
      files: ['src/b.ts', 'src/deep/d.ts'],
      excluded: { 'src/c.ts': 'ignored by git', 'src/deep/e.log': 'ignored by git' },
    });
  });

  test('are left out with the folder that they are in', async () => {
    expect(await partsOf('vendor/x/y.go')).toEqual({ files: [], excluded: { 'vendor/': 'vendored' } });
  });

  test('may be none, or the whole', async () => {
    expect(await partsOf()).toEqual({ files: [], excluded: {} });
    expect(await partsOf('')).toEqual(await walked(await workspaceOf(files)));
  });

  test('are not followed where a folder on the way became a link', async () => {
    const root = await workspaceOf({ 'real/a.ts': '1' });
    await symlink('real', path.join(root, 'link'));
    expect(collected(await allOf(walkWorkspace(root, defaults, { only: ['link/a.ts', 'real/a.ts/b.ts'] })))).toEqual({ files: [], excluded: {} });
  });
});

describe('what is no file or no folder', () => {
  test('links are not followed, whether or not they end in a loop or outside', async () => {
    const root = await workspaceOf({ 'src/a.ts': '1' });
    await symlink('..', path.join(root, 'src', 'up'));
    await symlink('/etc', path.join(root, 'outside'));
    await symlink('nowhere', path.join(root, 'broken.ts'));
    expect(await walked(root)).toEqual({ files: ['src/a.ts'], excluded: { 'broken.ts': 'symbolic link', outside: 'symbolic link', 'src/up': 'symbolic link' } });
  });

  test('the root may be a link', async () => {
    const root = await workspaceOf({ 'real/a.ts': '1' });
    await symlink('real', path.join(root, 'link'));
    const [found] = await allOf(walkWorkspace(path.join(root, 'link'), defaults));
    expect(found).toMatchObject({ file: { path: 'a.ts', absolute: path.join(root, 'link', 'a.ts') } });
  });

  test('pipes are not opened', async () => {
    const root = await workspaceOf({});
    execFileSync('mkfifo', [path.join(root, 'pipe.ts')]);
    expect(await walked(root)).toEqual({ files: [], excluded: { 'pipe.ts': 'not a regular file' } });
  });

  test('a root that is missing or is a file is an error', async () => {
    const root = await workspaceOf({ 'a.ts': '1' });
    await expect(walked(path.join(root, 'b'))).rejects.toEqual(new L3PruneError('NOT_FOUND', `${root}/b cannot be read: there is no such file or folder.`));
    await expect(walked(path.join(root, 'a.ts'))).rejects.toEqual(new L3PruneError('NOT_FOUND', `${root}/a.ts is not a folder: name the folder that is to be indexed.`));
    await expect(walked(path.join(root, 'a.ts', 'b'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('an empty folder is walked to its end', async () => {
    expect(await walked(await workspaceOf({ 'a/b/': '' }))).toEqual({ files: [], excluded: {} });
  });
});

describe('what changes or fails on the way', () => {
  test('a folder that vanishes, becomes a file or becomes a link is left out, and the walk goes on', async () => {
    const root = await workspaceOf({ 'a.ts': '1', 'b/x.ts': '1', 'c/x.ts': '1', 'd/x.ts': '1', 'e/x.ts': '1' });
    const walk = walkWorkspace(root, defaults);
    const all = [(await walk.next()).value!];
    for (const name of ['b', 'c', 'd']) await rm(path.join(root, name), { recursive: true });
    await writeFile(path.join(root, 'c'), '1');
    await symlink('e', path.join(root, 'd'));
    all.push(...(await allOf(walk)));
    expect(collected(all)).toEqual({ files: ['a.ts', 'e/x.ts'], excluded: { 'b/': 'vanished', 'c/': 'vanished', 'd/': 'symbolic link' } });
  });

  test('a folder that the system refuses to read is left out, and the walk goes on', async () => {
    const root = await workspaceOf({ 'z.ts': '1', 'zz/a.ts': '1' });
    const chain = Array.from({ length: 9 }, () => 'n'.repeat(250)).join('/');
    await mkdir(path.join(root, 'one', chain), { recursive: true });
    await mkdir(path.join(root, 'two', chain), { recursive: true });
    const tooDeep = path.join(root, 'one', chain, 'two'); // Twice the chain is longer than a path may be.
    await rename(path.join(root, 'two'), tooDeep);
    onTestFinished(() => rename(tooDeep, path.join(root, 'two')));
    const { files, excluded } = await walked(root);
    expect(files).toEqual(['z.ts', 'zz/a.ts']);
    expect(Object.values(excluded)).toEqual(['unreadable']);
  });

  test.each([
    ['EACCES', 'unreadable'],
    ['EPERM', 'unreadable'],
    ['EIO', 'unreadable'],
    ['ENOENT', 'vanished'],
    ['ELOOP', 'symbolic link'],
    ['ENXIO', 'not a regular file'],
  ])('%s is said as: %s', (code, reason) => {
    expect(reasonOf(Object.assign(new Error(code), { code }))).toBe(reason);
  });

  test('a walk that is cancelled says so', async () => {
    const root = await workspaceOf({ 'a.ts': '1', 'b/c.ts': '1' });
    const abort = new AbortController();
    const walk = walkWorkspace(root, defaults, { signal: abort.signal });
    await walk.next();
    abort.abort();
    await expect(walk.next()).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

describe('names', () => {
  test('of any characters survive', async () => {
    const names = ['\u0001.md', ' .md', '"quoted".md', 'a\nb.md', 'back\\slash.md', 'é.md', 'e\u0301.md', '名前.md', '\uFFFD.md', '😀.md', `${'n'.repeat(252)}.md`];
    const root = await workspaceOf(Object.fromEntries(names.map((name) => [`${name}/${name}`, '1'])));
    expect((await walked(root)).files.toSorted()).toEqual(names.map((name) => `${name}/${name}`).toSorted());
  });

  test('that are not UTF-8 are left out, beside ones that only look like them', async () => {
    const root = await workspaceOf({ '\uFFFD.md': '1' });
    const bad = (name: string): Buffer => Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff]), Buffer.from(name)]);
    writeFileSync(bad('.md'), '1');
    mkdirSync(bad(''));
    expect(await walked(root)).toEqual({ files: ['\uFFFD.md'], excluded: { '\uFFFD': 'name is not valid Unicode', '\uFFFD.md': 'name is not valid Unicode' } });
  });
});

describe('many files', () => {
  test('20,000 of them in 400 folders are found, each once', async () => {
    const root = await workspaceOf({ 'one.ts': '1' });
    for (let folder = 0; folder < 400; folder++) {
      const inner = path.join(root, `p${folder % 20}`, `f${folder}`);
      mkdirSync(inner, { recursive: true });
      for (let file = 0; file < 50; file++) linkSync(path.join(root, 'one.ts'), path.join(inner, `${file}.ts`));
    }
    let count = 0;
    for await (const found of walkWorkspace(root, defaults)) count += 'file' in found ? 1 : 0;
    expect(count).toBe(20_001);
  });
});
