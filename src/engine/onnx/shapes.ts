import type { Dim } from '../ops.ts';

/** The shape of an elementwise operation over two shapes; a named axis wins over 1, a number over a name. */
export function broadcast(a: readonly Dim[], b: readonly Dim[]): Dim[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (x === y || y === 1) return x;
    if (x === 1) return y;
    if (typeof x === 'number' && typeof y === 'number') throw new RangeError(`shapes [${a}] and [${b}] do not broadcast`);
    return typeof x === 'number' ? x : y;
  });
}

/** The shape after `reshape`: 0 keeps an axis, -1 takes what is left, by name where the rest is not all numbers. */
export function reshaped(from: readonly Dim[], to: readonly number[]): Dim[] {
  const kept = to.map((length, axis): Dim => (length === 0 ? axisOf(from, axis) : length));
  const hole = kept.indexOf(-1);
  if (hole < 0) return kept;
  const whole = factorsOf(from);
  const known = factorsOf(kept.filter((_, axis) => axis !== hole));
  const names = [...whole.names];
  for (const name of known.names) {
    const at = names.indexOf(name);
    if (at < 0) throw new RangeError(`[${from}] cannot be reshaped to [${to}]`);
    names.splice(at, 1);
  }
  const length = whole.length / known.length;
  if (!Number.isInteger(length)) throw new RangeError(`[${from}] cannot be reshaped to [${to}]`);
  kept[hole] = names.length === 0 ? length : [...(length === 1 ? [] : [length]), ...names.sort()].join('*');
  return kept;
}

/** How many elements a shape has: a number, times the lengths that names stand for. */
function factorsOf(shape: readonly Dim[]): { length: number; names: string[] } {
  const factors = shape.flatMap((dim) => String(dim).split('*'));
  const isNumber = (factor: string): boolean => /^\d+$/.test(factor);
  const names = factors.filter((factor) => !isNumber(factor));
  const length = factors.filter(isNumber).reduce((product, factor) => product * Number(factor), 1);
  return { length, names };
}

/** The shape of a [...,M,K] @ b [...,K,N], or of b as [...,N,K] when `transposeB`. */
export function multiplied(a: readonly Dim[], b: readonly Dim[], transposeB: boolean): Dim[] {
  const columns = axisOf(b, transposeB ? -2 : -1);
  const inner = axisOf(b, transposeB ? -1 : -2);
  const own = axisOf(a, -1);
  if (typeof inner === 'number' && typeof own === 'number' && inner !== own)
    throw new RangeError(`[${a}] and [${b}] cannot be multiplied`);
  return [...broadcast(a.slice(0, -2), b.slice(0, -2)), axisOf(a, -2), columns];
}

/** The axis at a place that may count from the end. */
export function axisOf(shape: readonly Dim[], axis: number): Dim {
  const dim = shape.at(axis);
  if (dim === undefined) throw new RangeError(`[${shape}] has no axis ${axis}`);
  return dim;
}
