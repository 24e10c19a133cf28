import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { findPip } from '../../src/models/pip.ts';
import { useFolder } from './folder.ts';

const folder = useFolder();

test('looking for pip runs nothing that lies in the folder one works in', async () => {
  const mark = folder.path('was-run');
  await writeFile(folder.path('pip.py'), `open(${JSON.stringify(mark)}, 'w')\nprint('pip 99')\n`);
  const before = process.cwd();
  process.chdir(folder.path());
  try {
    await findPip();
  } finally {
    process.chdir(before);
  }
  expect(existsSync(mark)).toBe(false);
});
