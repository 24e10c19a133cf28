import { symlinkSync } from 'node:fs';
import { symlink } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { surveyWorkspace } from '../../../src/index/files/survey.ts';
import { defaults, workspaceOf } from './workspace.ts';

test('a survey counts what would be indexed by language and folder, and all else by its reason', async () => {
  const root = await workspaceOf({
    'README.md': '12345',
    'package.json': '{}',
    'src/a.ts': '1234567890',
    'src/index/b.ts': '123',
    'src/index/deep/c.py': '12',
    'src/index/generated.ts': '// @generated\n',
    'src/data.bin': '1',
    'src/data': '\0',
    'node_modules/x/y.js': '1',
    'empty.ts': '',
    '.env': 'A=1',
    'blank.ts': '\n',
  });
  await symlink('a.ts', path.join(root, 'src', 'link.ts'));
  const progress: unknown[] = [];
  const survey = await surveyWorkspace(root, defaults, { onProgress: (at) => progress.push(at) });
  expect(survey).toEqual({
    files: 5,
    bytes: 22,
    languages: [
      { language: 'typescript', files: 2, bytes: 13 },
      { language: 'markdown', files: 1, bytes: 5 },
      { language: 'json', files: 1, bytes: 2 },
      { language: 'python', files: 1, bytes: 2 },
    ],
    folders: [
      { folder: '.', files: 2, bytes: 7 },
      { folder: 'src', files: 3, bytes: 15 },
      { folder: 'src/index', files: 2, bytes: 5 },
    ],
    excluded: {
      files: 7,
      folders: 1,
      reasons: [
        { reason: 'binary', files: 2, folders: 0 },
        { reason: 'empty', files: 2, folders: 0 },
        { reason: 'generated', files: 1, folders: 0 },
        { reason: 'looks like a secret', files: 1, folders: 0 },
        { reason: 'symbolic link', files: 1, folders: 0 },
        { reason: 'vendored', files: 0, folders: 1 },
      ],
      list: [
        { path: '.env', isFolder: false, reason: 'looks like a secret' },
        { path: 'blank.ts', isFolder: false, reason: 'empty', language: 'typescript' },
        { path: 'empty.ts', isFolder: false, reason: 'empty', language: 'typescript' },
        { path: 'node_modules', isFolder: true, reason: 'vendored' },
        { path: 'src/data', isFolder: false, reason: 'binary', language: 'text' },
        { path: 'src/data.bin', isFolder: false, reason: 'binary' },
        { path: 'src/link.ts', isFolder: false, reason: 'symbolic link', language: 'typescript' },
        { path: 'src/index/generated.ts', isFolder: false, reason: 'generated', language: 'typescript' },
      ],
      notListed: 0,
    },
  });
  expect(JSON.parse(JSON.stringify(survey))).toEqual(survey);
  expect(progress.at(-1)).toEqual({ files: 5, excluded: 8 });
});

test('the list ends at 10,000, and the rest is counted', async () => {
  const root = await workspaceOf({});
  for (let index = 0; index < 10_003; index++) symlinkSync('nowhere', path.join(root, String(index)));
  const { excluded } = await surveyWorkspace(root, defaults);
  expect([excluded.files, excluded.list.length, excluded.notListed]).toEqual([10_003, 10_000, 3]);
});

test('a survey that is cancelled says so', async () => {
  const root = await workspaceOf({ 'a.ts': '1' });
  await expect(surveyWorkspace(root, defaults, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'CANCELLED' });
});
