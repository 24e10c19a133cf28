/** The hits of one file, best first. */
export interface FileGroup<H> {
  readonly path: string;
  readonly hits: readonly H[];
}

/** Hits by their file: files in the order of their best hit, hits in the order they had. */
export function groupByFile<H extends { readonly path: string }>(hits: readonly H[]): FileGroup<H>[] {
  const groups = new Map<string, H[]>();
  for (const hit of hits) {
    const group = groups.get(hit.path);
    if (group === undefined) groups.set(hit.path, [hit]);
    else group.push(hit);
  }
  return Array.from(groups, ([path, hits]) => ({ path, hits }));
}
