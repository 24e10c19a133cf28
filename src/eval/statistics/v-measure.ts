/**
 * The V-measure (Rosenberg and Hirschberg 2007) of a clustering: the harmonic mean of homogeneity (a cluster holds one
 * class) and completeness (a class lies in one cluster), as scikit-learn's `v_measure_score` has it. 1 where the
 * partition is the classes', whatever the clusters are called; where one side is a single group, that side's share is 1.
 *
 *   homogeneity = I(classes; clusters) / H(classes)     completeness = I(classes; clusters) / H(clusters)
 *
 * @param classes, clusters what each item is, and where it was put, in the same order
 */
export function vMeasure(classes: readonly unknown[], clusters: ArrayLike<number>): number {
  const n = classes.length;
  const classSizes = new Map<unknown, number>();
  const clusterSizes = new Map<number, number>();
  const both = new Map<unknown, Map<number, number>>();
  for (let i = 0; i < n; i++) {
    const [own, cluster] = [classes[i], clusters[i]!];
    count(classSizes, own);
    count(clusterSizes, cluster);
    let row = both.get(own);
    if (row === undefined) both.set(own, (row = new Map()));
    count(row, cluster);
  }
  let mutual = 0; // Σ p(class, cluster) · ln(p(class, cluster) / (p(class) · p(cluster)))
  for (const [own, row] of both)
    for (const [cluster, size] of row) mutual += (size / n) * Math.log((size * n) / (classSizes.get(own)! * clusterSizes.get(cluster)!));
  const [classEntropy, clusterEntropy] = [entropy(classSizes, n), entropy(clusterSizes, n)];
  const homogeneity = classEntropy === 0 ? 1 : Math.max(0, mutual) / classEntropy;
  const completeness = clusterEntropy === 0 ? 1 : Math.max(0, mutual) / clusterEntropy;
  return homogeneity + completeness === 0 ? 0 : (2 * homogeneity * completeness) / (homogeneity + completeness);
}

function count<K>(sizes: Map<K, number>, key: K): void {
  sizes.set(key, (sizes.get(key) ?? 0) + 1);
}

function entropy(sizes: ReadonlyMap<unknown, number>, n: number): number {
  if (sizes.size === 1) return 0;
  return -[...sizes.values()].reduce((sum, size) => sum + (size / n) * Math.log(size / n), 0);
}
