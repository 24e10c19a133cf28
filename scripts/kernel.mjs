/**
 * Compiles the scan's kernel, `src/index/scan/kernel.wat`, into the constant of `kernel.ts` beside it:
 *
 *   node scripts/kernel.mjs
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import wabt from 'wabt';

const folder = path.join(import.meta.dirname, '../src/index/scan');
export const kernelFile = path.join(folder, 'kernel.ts');

/** What `kernel.ts` has to hold. */
export async function compileKernel() {
  const source = await readFile(path.join(folder, 'kernel.wat'), 'utf8');
  const module = (await wabt()).parseWat('kernel.wat', source, { simd: true });
  try {
    const base64 = Buffer.from(module.toBinary({}).buffer).toString('base64');
    return `/** \`kernel.wat\`, compiled by \`node scripts/kernel.mjs\`, which writes this file; in base64. */\nexport const kernelBase64 =\n  '${base64}';\n`;
  } finally {
    module.destroy();
  }
}

if (process.argv[1] === import.meta.filename) await writeFile(kernelFile, await compileKernel());
