import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Builds `dist/` once before the tests that run it, unless it is newer than everything it is made of. */
export function setup(): void {
  const sources = ['src', 'webview'].flatMap((folder) => readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => path.join(folder, name)));
  const newest = Math.max(...[...sources, 'esbuild.mjs', 'package-lock.json'].map(timeOf));
  const oldest = Math.min(...['cli.mjs', 'index.mjs'].map((name) => timeOf(path.join('dist', name))));
  if (oldest <= newest) execFileSync(process.execPath, ['esbuild.mjs'], { cwd: root, stdio: 'inherit' });
}

/** When a file was last written, 0 where it is not there. */
function timeOf(name: string): number {
  return statSync(path.join(root, name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
