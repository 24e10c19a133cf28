/** Far more than a gap between eigenvalues needs that is wide enough for their order to mean anything. */
const mostSteps = 1000;
const converged = 1e-10;

/**
 * The leading principal components of rows whose mean is taken off already: orthonormal directions, the one along which
 * the rows differ most first. By power iteration on the rows' products with each other (Gram matrix, [N,N]), each found
 * direction taken out of it (Hotelling's deflation), because there are fewer rows than a large model's vectors are wide.
 * Fewer come back where the rows span no more.
 */
export function leadingComponents(rows: readonly Float64Array[], count: number): Float64Array[] {
  const gram = rows.map((row) => Float64Array.from(rows, (other) => dot(row, other))); // [N,N]
  const enough = 1e-12 * gram.reduce((sum, row, i) => sum + row[i]!, 0);
  const found: Float64Array[] = [];
  while (found.length < count) {
    const { value, vector } = leadingEigenvector(gram);
    if (value <= enough) break;
    // Xᵀ u / √λ is the component that belongs to the eigenvector u of X Xᵀ.
    const component = new Float64Array(rows[0]!.length);
    rows.forEach((row, n) => row.forEach((x, i) => (component[i]! += (x * vector[n]!) / Math.sqrt(value))));
    found.push(component);
    gram.forEach((row, i) => row.forEach((_, j) => (row[j]! -= value * vector[i]! * vector[j]!)));
  }
  return found;
}

/** Of a symmetric matrix without negative eigenvalues; begins at its heaviest row, which is never far off. */
function leadingEigenvector(matrix: readonly Float64Array[]): { value: number; vector: Float64Array } {
  const heaviest = matrix.reduce((best, row, i) => (row[i]! > matrix[best]![best]! ? i : best), 0);
  let vector = normalized(matrix[heaviest]!);
  for (let step = 0; step < mostSteps; step++) {
    const next = normalized(Float64Array.from(matrix, (row) => dot(row, vector)));
    const change = next.reduce((sum, x, i) => sum + (x - vector[i]!) ** 2, 0);
    vector = next;
    if (change < converged ** 2) break;
  }
  return { value: matrix.reduce((sum, row, i) => sum + vector[i]! * dot(row, vector), 0), vector };
}

function normalized(vector: Float64Array): Float64Array {
  const length = Math.sqrt(dot(vector, vector)) || 1;
  return vector.map((x) => x / length);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
