import type { Ops } from '../../src/engine/ops.ts';
import { Random } from '../../src/random.ts';

/** A program of one operation, or of a few where one alone says nothing, that an engine is held to. */
export interface OpCase {
  readonly name: string;
  /** Shapes of its float32 inputs, by name. */
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  /** Its int64 inputs, which have no gradient. */
  readonly ids?: Readonly<Record<string, { readonly shape: readonly number[]; readonly data: readonly number[] }>>;
  /** Inputs that are positive, so that they can be divided by. */
  readonly positive?: readonly string[];
  /** Inputs by which it is not differentiated. */
  readonly frozen?: readonly string[];
  /** The operation's method, for every one of `Ops` has a case. */
  readonly op: keyof Ops<unknown>;
  build<T>(ops: Ops<T>, inputs: Readonly<Record<string, T>>): T;
  /** What stands for the gradients of an operation that has steps, from the one by its result; else they are differences. */
  backward?<T>(ops: Ops<T>, inputs: Readonly<Record<string, T>>, dy: T): Readonly<Record<string, T>>;
}

/** Ties the names of the inputs to what `build` may use. */
function opCase<const I extends Readonly<Record<string, readonly number[]>>, const J extends Readonly<Record<string, { readonly shape: readonly number[]; readonly data: readonly number[] }>> = {}>(
  op: keyof Ops<unknown>,
  what: string,
  inputs: I,
  build: <T>(ops: Ops<T>, inputs: Readonly<Record<keyof I | keyof J, T>>) => T,
  more: { readonly ids?: J; readonly positive?: readonly (keyof I & string)[]; readonly frozen?: readonly (keyof I & string)[]; readonly backward?: NonNullable<OpCase['backward']> } = {},
): OpCase {
  return { op, name: `${op}${what === '' ? '' : `, ${what}`}`, inputs, build: build as OpCase['build'], ...more };
}

// Texts of 3 and 1 tokens in one group, one of 2 in another; row 6 stands in for the padding.
const layout = {
  first: { shape: [2, 3], data: [0, 1, 2, 3, 6, 6] },
  second: { shape: [1, 2], data: [4, 5] },
  places: { shape: [7], data: [0, 1, 2, 3, 6, 7, 4] },
} as const;

const ids = { i: { shape: [2, 3], data: [4, 0, 2, 2, 4, 4] } } as const;

function roundedBackward<T>(ops: Ops<T>, { w }: Readonly<Record<string, T>>, dy: T): Readonly<Record<string, T>> {
  return { x: ops.roundedLinear(dy, ops.transpose(w!, [1, 0])) };
}

export const opCases: readonly OpCase[] = [
  opCase('embedding', 'rows that come again', { table: [5, 3] }, (ops, { table, i }) => ops.embedding(table, i), { ids }),
  opCase('linear', '', { x: [2, 3, 4], w: [5, 4] }, (ops, { x, w }) => ops.linear(x, w)),
  opCase('linear', 'with a bias', { x: [2, 3, 4], w: [5, 4], b: [5] }, (ops, { x, w, b }) => ops.linear(x, w, b)),
  opCase('adaptedLinear', '', { x: [2, 3, 4], w: [5, 4], a: [2, 4], b: [5, 2] }, (ops, { x, w, a, b }) => ops.adaptedLinear(x, w, a, b, 0.5), { frozen: ['w'] }),
  opCase('adaptedLinear', 'of a matrix, used twice', { x: [3, 4], w: [4, 4], a: [2, 4], b: [4, 2] }, (ops, { x, w, a, b }) => ops.adaptedLinear(ops.adaptedLinear(x, w, a, b, 2), w, a, b, 2), { frozen: ['w'] }),
  opCase('roundedLinear', '', { x: [2, 3, 8], w: [5, 8] }, (ops, { x, w }) => ops.roundedLinear(x, w), { frozen: ['w'], backward: roundedBackward }),
  opCase('roundedLinear', 'of rows of zeros', { x: [1, 3, 8], w: [5, 8] }, (ops, { x, w }) => ops.roundedLinear(ops.scale(x, 0), w), { frozen: ['w'], backward: (ops, { x }) => ({ x: ops.scale(x!, 0) }) }),
  opCase('matmul', 'two matrices', { a: [3, 4], b: [4, 2] }, (ops, { a, b }) => ops.matmul(a, b)),
  opCase('matmul', 'by a transposed matrix, with a factor', { a: [2, 3, 4], b: [5, 4] }, (ops, { a, b }) => ops.matmul(a, b, { transposeB: true, alpha: -0.5 })),
  opCase('matmul', 'to fewer columns, with a factor', { a: [2, 3, 4], b: [4, 2] }, (ops, { a, b }) => ops.matmul(a, b, { alpha: 3 })),
  opCase('matmul', 'batches', { a: [2, 3, 4], b: [2, 4, 5] }, (ops, { a, b }) => ops.matmul(a, b)),
  opCase('matmul', 'of rank 5, by a transposed batch', { a: [2, 2, 1, 3, 4], b: [2, 2, 1, 5, 4] }, (ops, { a, b }) => ops.matmul(a, b, { transposeB: true, alpha: 0.3 })),
  opCase('matmul', 'each broadcast in an axis', { a: [2, 1, 3, 4], b: [3, 4, 2] }, (ops, { a, b }) => ops.matmul(a, b)),
  opCase('matmul', 'a group of heads over one', { a: [2, 2, 3, 2, 4], b: [2, 2, 1, 5, 4] }, (ops, { a, b }) => ops.matmul(a, b, { transposeB: true })),
  opCase('matmul', 'a matrix by a batch', { a: [3, 4], b: [2, 4, 2] }, (ops, { a, b }) => ops.matmul(a, b)),
  opCase('add', '', { a: [2, 3], b: [2, 3] }, (ops, { a, b }) => ops.add(a, b)),
  opCase('add', 'of rank 5 with broadcasting', { a: [2, 2, 3, 2, 2], b: [2, 1, 1, 1, 2] }, (ops, { a, b }) => ops.add(a, b)),
  opCase('mul', '', { a: [2, 3], b: [2, 3] }, (ops, { a, b }) => ops.mul(a, b)),
  opCase('mul', 'with itself', { a: [2, 3] }, (ops, { a }) => ops.mul(a, a)),
  opCase('mul', 'each broadcast in an axis', { a: [2, 1, 3], b: [4, 1] }, (ops, { a, b }) => ops.mul(a, b)),
  opCase('div', '', { a: [2, 3], b: [2, 3] }, (ops, { a, b }) => ops.div(a, b), { positive: ['b'] }),
  opCase('div', 'by one number a row', { a: [2, 2, 3], b: [2, 2, 1] }, (ops, { a, b }) => ops.div(a, b), { positive: ['b'] }),
  opCase('sub', '', { a: [2, 3], b: [2, 3] }, (ops, { a, b }) => ops.sub(a, b)),
  opCase('sub', 'with broadcasting', { a: [3], b: [2, 3] }, (ops, { a, b }) => ops.sub(a, b)),
  opCase('rmsNorm', '', { x: [2, 3, 8], gain: [8] }, (ops, { x, gain }) => ops.rmsNorm(x, gain, 1e-5)),
  opCase('rmsNorm', 'of one head, with an epsilon that counts', { x: [2, 3, 2, 4], gain: [4] }, (ops, { x, gain }) => ops.rmsNorm(x, gain, 0.1)),
  opCase('rotary', '', { x: [2, 3, 8], cos: [3, 2], sin: [3, 2] }, (ops, { x, cos, sin }) => ops.rotary(x, cos, sin, 2), { frozen: ['cos', 'sin'] }),
  opCase('softmax', '', { x: [2, 5] }, (ops, { x }) => ops.softmax(x)),
  opCase('softmax', 'of rank 5', { x: [2, 1, 2, 3, 4] }, (ops, { x }) => ops.softmax(x)),
  opCase('logSoftmax', '', { x: [3, 5] }, (ops, { x }) => ops.logSoftmax(x)),
  opCase('silu', '', { x: [3, 5] }, (ops, { x }) => ops.silu(x)),
  opCase('gelu', '', { x: [3, 5] }, (ops, { x }) => ops.gelu(x)),
  opCase('tanh', '', { x: [3, 5] }, (ops, { x }) => ops.tanh(x)),
  opCase('tanh', 'as a soft cap', { x: [2, 1, 2, 3, 2] }, (ops, { x }) => ops.scale(ops.tanh(ops.scale(x, 0.5)), 2)),
  opCase('norm', '', { x: [2, 3, 4] }, (ops, { x }) => ops.norm(x)),
  opCase('sum', '', { x: [2, 3, 4] }, (ops, { x }) => ops.sum(x)),
  opCase('scale', '', { x: [2, 3] }, (ops, { x }) => ops.scale(x, -1.5)),
  opCase('shift', 'of a gain', { x: [2, 8], gain: [8] }, (ops, { x, gain }) => ops.rmsNorm(x, ops.shift(gain, 1), 1e-6)),
  opCase('slice', 'of the last axis', { x: [2, 3, 8] }, (ops, { x }) => ops.slice(x, 2, 2, 4)),
  opCase('slice', 'of the first axis', { x: [5, 3] }, (ops, { x }) => ops.slice(x, 0, 3, 2)),
  opCase('slice', 'two parts of one', { x: [2, 6] }, (ops, { x }) => ops.mul(ops.slice(x, 1, 0, 3), ops.slice(x, 1, 3, 3))),
  opCase('reshape', '', { x: [2, 3, 8] }, (ops, { x }) => ops.reshape(x, [0, 0, 2, -1])),
  opCase('transpose', 'of rank 5', { x: [2, 3, 2, 2, 3] }, (ops, { x }) => ops.transpose(x, [0, 2, 3, 1, 4])),
  opCase('transpose', 'that goes round', { x: [2, 3, 4] }, (ops, { x }) => ops.transpose(x, [1, 2, 0])),
  opCase('concat', 'of two', { a: [2, 3], b: [2, 2] }, (ops, { a, b }) => ops.concat([a, b], 1)),
  opCase('concat', 'of one and the same', { a: [1, 2, 3], b: [1, 2, 3] }, (ops, { a, b }) => ops.concat([a, b, a], 0)),
  opCase('spread', 'one group without padding', { x: [4, 3] }, (ops, { x, slots, places }) => ops.spread(x, [slots], places)[0]!, {
    ids: { slots: { shape: [2, 2], data: [2, 3, 0, 1] }, places: { shape: [4], data: [2, 3, 0, 1] } },
  }),
  opCase('spread', 'two groups, one of them padded', { x: [7, 2], w: [1, 3, 3] }, (ops, { x, w, first, second, places }) => {
    const [a, b] = ops.spread(x, [first, second], places) as [typeof x, typeof x];
    const seen = ops.slice(ops.matmul(w, a), 0, 0, 1); // of the text without padding
    return ops.concat([ops.reshape(seen, [-1, 2]), ops.reshape(ops.mul(b, b), [-1, 2])], 0);
  }, { ids: layout }),
  opCase('join', 'one group', { a: [2, 2, 3] }, (ops, { a, slots, places }) => ops.join([a], [slots], places), {
    ids: { slots: { shape: [2, 2], data: [2, 3, 0, 1] }, places: { shape: [4], data: [2, 3, 0, 1] } },
  }),
  opCase('join', 'what was spread in two groups, without the stand-in', { x: [7, 2] }, (ops, { x, first, second, places }) => {
    const slots = [first, second];
    const parts = ops.spread(x, slots, places).map((part) => ops.mul(part, part));
    return ops.slice(ops.join(parts, slots, places), 0, 0, 6);
  }, { ids: layout }),
];

/** The case's float32 inputs, drawn from its name: within ±2, or 0.5 to 2 where they are to be positive. */
export function valuesOf({ name, inputs, positive = [] }: OpCase): Record<string, Float64Array> {
  const random = Random.fromSeed([...name].reduce((seed, character) => seed * 31 + character.charCodeAt(0), 7) % 2 ** 31);
  return Object.fromEntries(
    Object.entries(inputs).map(([input, shape]) => {
      const draw = (): number => (positive.includes(input) ? 0.5 + 1.5 * random.float() : 4 * random.float() - 2);
      // What a float32 holds, so that engines and oracle start from the same numbers.
      return [input, Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => Math.fround(draw()))];
    }),
  );
}
