import { L3PruneError } from '../../../src/errors.ts';
import type { Random } from '../../../src/random.ts';

/** The plain Σ a · b. */
export function product(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** Numbers that are near enough to normally distributed. */
export function normal(random: Random, dimensions: number): Float32Array {
  return Float32Array.from({ length: dimensions }, () => random.float() + random.float() + random.float() + random.float() - 2);
}

/** The code of what is thrown. */
export function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return error instanceof L3PruneError ? error.code : String(error);
  }
  return 'nothing is thrown';
}
