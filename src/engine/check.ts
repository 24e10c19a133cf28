import { errors } from '../errors.ts';
import type { Engine, Program } from './engine.ts';
import type { TensorData } from './ops.ts';

/** How far an engine may be from the exact numbers, relative to them. */
const tolerance = 1e-4;

/**
 * Sees whether an engine computes a program and its gradient: loss = Σ (table[ids] wᵀ)² of numbers that can be reckoned by
 * hand, the rows 7 and 3 and w = 2, so 196 + 36. Errors: ENGINE with what it computes wrongly.
 */
export async function checkProgram(engine: Engine): Promise<void> {
  const program: Program<'table' | 'ids' | 'w', 'loss'> = {
    inputs: {
      table: { type: 'float32', shape: [3, 1] },
      ids: { type: 'int64', shape: [1, 'S'] },
      w: { type: 'float32', shape: [1, 1] },
    },
    weights: new Map(),
    build: (ops, { table, ids, w }) => {
      const y = ops.linear(ops.embedding(table, ids), w);
      return { loss: ops.sum(ops.reshape(ops.mul(y, y), [1, -1])) };
    },
  };
  const float32 = (shape: number[], ...data: number[]): TensorData => ({ type: 'float32', shape, data: Float32Array.from(data) });
  const executable = await engine.differentiate(program, 'loss', ['table', 'w']);
  const result = await executable.run({
    table: float32([3, 1], 3, 5, 7),
    ids: { type: 'int64', shape: [1, 2], data: BigInt64Array.of(2n, 0n) },
    w: float32([1, 1], 2),
  });
  await executable.dispose();
  expectClose('a sum of squares', result.loss.data, [232]);
  expectClose('its gradient by the table', result['gradient.table'].data, [24, 0, 56]);
  expectClose('its gradient by the weight', result['gradient.w'].data, [232]);
}

/** Throws ENGINE where numbers are not what they should be. */
export function expectClose(what: string, found: Float32Array, expected: readonly number[], within = tolerance): void {
  const isClose = found.length === expected.length && expected.every((value, i) => Math.abs(found[i]! - value) <= within * Math.max(1, Math.abs(value)));
  if (!isClose) throw errors.engine(`It computes wrongly: ${what} is ${[...found].join(', ')} and should be ${expected.join(', ')}.`);
}
