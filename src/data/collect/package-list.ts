import { readFile } from 'node:fs/promises';
import { errors } from '../../errors.ts';
import { reason } from '../../files.ts';

export const registries = ['pypi', 'npm'] as const;
export type Registry = (typeof registries)[number];

/** A package of a registry. */
export interface PackageName {
  readonly registry: Registry;
  /** As its registry compares it. */
  readonly name: string;
  /** The newest where left out. */
  readonly version?: string;
}

/** "pypi:click" for a package of any version. */
export function keyOf({ registry, name }: PackageName): string {
  return `${registry}:${name}`;
}

/** Nothing but a name and a version: a registry's client takes addresses, folders and options in their place. */
const LINE =
  /^(?:(?<pypi>pypi):(?<project>[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)(?:==(?<release>[a-z0-9][a-z0-9.!+_-]*))?|(?<npm>npm):(?<module>(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~][a-z0-9._~-]*)(?:@(?<version>[0-9][a-z0-9.+-]*))?)$/i;

/**
 * The packages that a text file names, each once, in its order: `pypi:NAME`, `pypi:NAME==VERSION`, `npm:NAME` or
 * `npm:NAME@VERSION` a line; blank lines and what follows a "#" do not count.
 *
 * @throws NOT_FOUND, BAD_DATA
 */
export async function readPackageList(file: string): Promise<PackageName[]> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw errors.notFound(`${file} cannot be read: ${reason(error)}.`, error);
  });
  const packages = new Map<string, PackageName>();
  for (const [i, raw] of text.replace(/^\uFEFF/, '').split(/\r?\n/).entries()) {
    const line = raw.replace(/#.*$/, '').trim();
    if (line === '') continue;
    const found = parseName(line);
    if (found === undefined) throw errors.badData(`${file} line ${i + 1} names no package: write pypi:NAME or npm:NAME, a line each.`);
    if (!packages.has(keyOf(found))) packages.set(keyOf(found), found);
  }
  if (packages.size === 0) throw errors.badData(`${file} names no package: write pypi:NAME or npm:NAME, a line each.`);
  return [...packages.values()];
}

function parseName(line: string): PackageName | undefined {
  const { project, release, module, version } = LINE.exec(line)?.groups ?? {};
  if (project !== undefined) return { registry: 'pypi', name: project.toLowerCase().replace(/[-_.]+/g, '-'), ...(release && { version: release }) };
  if (module !== undefined) return { registry: 'npm', name: module, ...(version && { version }) };
  return undefined;
}
