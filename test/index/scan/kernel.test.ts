import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { compileKernel, kernelFile } from '../../../scripts/kernel.mjs';

test('the kernel that is kept is the one that kernel.wat compiles to', async () => {
  expect((await readFile(kernelFile, 'utf8')).replaceAll('\r\n', '\n')).toBe(await compileKernel());
});
