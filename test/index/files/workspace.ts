import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished, vi } from 'vitest';
import { DEFAULT_MOST_BYTES } from '../../../src/index/files/rules.ts';
import type { FileRules, Found } from '../../../src/index/files/types.ts';
import { walkWorkspace } from '../../../src/index/files/walk.ts';

export const defaults: FileRules = { include: [], exclude: [], gitignore: true, mostBytes: DEFAULT_MOST_BYTES };

/** A folder with these files, for one test; a path that ends with `/` is an empty folder. No settings of the user's count. */
export async function workspaceOf(files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const root = await mkdtemp(path.join(tmpdir(), 'l3prune-walk-'));
  onTestFinished(() => rm(root, { recursive: true }));
  const home = await mkdtemp(path.join(tmpdir(), 'l3prune-home-'));
  onTestFinished(() => rm(home, { recursive: true }));
  vi.stubEnv('HOME', home);
  vi.stubEnv('XDG_CONFIG_HOME', path.join(home, '.config'));
  onTestFinished(() => void vi.unstubAllEnvs());
  for (const [name, content] of Object.entries(files)) await put(root, name, content);
  return root;
}

export async function put(root: string, name: string, content: string | Uint8Array): Promise<void> {
  const file = path.join(root, name);
  await mkdir(name.endsWith('/') ? file : path.dirname(file), { recursive: true });
  if (!name.endsWith('/')) await writeFile(file, content);
}

/** The files of a workspace in the walk's order, and why each other path is not among them; a folder's path ends with `/`. */
export async function walked(root: string, rules: Partial<FileRules> = {}): Promise<{ files: string[]; excluded: Record<string, string> }> {
  return collected(await allOf(walkWorkspace(root, { ...defaults, ...rules })));
}

export function collected(all: readonly Found[]): { files: string[]; excluded: Record<string, string> } {
  return {
    files: all.flatMap((found) => ('file' in found ? [found.file.path] : [])),
    excluded: Object.fromEntries(all.flatMap((found) => ('excluded' in found ? [[`${found.excluded.path}${found.excluded.isFolder ? '/' : ''}`, found.excluded.reason]] : []))),
  };
}

export async function allOf(walk: AsyncIterable<Found>): Promise<Found[]> {
  const all: Found[] = [];
  for await (const found of walk) all.push(found);
  return all;
}
