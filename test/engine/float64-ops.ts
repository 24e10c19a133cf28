import type { Ops } from '../../src/engine/ops.ts';

/** A tensor of doubles, row-major. */
export interface Float64Tensor {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/**
 * The operations in plain JavaScript and float64, each written down from its definition in `Ops` and nothing else: what
 * engines are held to, forward, and by differences backward.
 */
export const float64Ops: Ops<Float64Tensor> = {
  embedding: (table, ids) => {
    const width = table.shape[1]!;
    return make([...ids.shape, width], (at) => table.data[ids.data[Math.floor(at / width)]! * width + (at % width)]!);
  },
  linear: (x, weight, bias) => {
    const y = float64Ops.matmul(x, weight, { transposeB: true });
    return bias === undefined ? y : float64Ops.add(y, bias);
  },
  adaptedLinear: (x, weight, a, b, alpha) => float64Ops.linear(x, float64Ops.add(weight, float64Ops.matmul(b, a, { alpha }))),
  roundedLinear: (x, weight) => float64Ops.linear(roundedRows(x), roundedRows(weight)),
  matmul: (a, b, { transposeB = false, alpha = 1 } = {}) => {
    const [m, k] = a.shape.slice(-2) as [number, number];
    const n = b.shape.at(transposeB ? -2 : -1)!;
    const batch = broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
    return fill([...batch, m, n], (index) => {
      const [row, column] = index.slice(-2) as [number, number];
      const lead = index.slice(0, -2);
      let sum = 0;
      for (let i = 0; i < k; i++) sum += read(a, [...lead, row, i]) * read(b, [...lead, ...(transposeB ? [column, i] : [i, column])]);
      return alpha * sum;
    });
  },
  add: (a, b) => elementwise(a, b, (x, y) => x + y),
  mul: (a, b) => elementwise(a, b, (x, y) => x * y),
  div: (a, b) => elementwise(a, b, (x, y) => x / y),
  sub: (a, b) => elementwise(a, b, (x, y) => x - y),
  rmsNorm: (x, gain, epsilon) =>
    rows(x, (row) => {
      const deviation = Math.sqrt(row.reduce((sum, v) => sum + v * v, 0) / row.length + epsilon);
      return row.map((v, i) => (v / deviation) * gain.data[i]!);
    }),
  rotary: (x, cos, sin, heads) => {
    const [, length, width] = x.shape as [number, number, number];
    const size = width / heads;
    const half = size / 2;
    return make(x.shape, (at) => {
      const position = Math.floor(at / width) % length;
      const place = at % size;
      const isFirst = place < half;
      const angle = position * half + (place % half);
      const other = x.data[isFirst ? at + half : at - half]!;
      return x.data[at]! * cos.data[angle]! + (isFirst ? -other : other) * sin.data[angle]!;
    });
  },
  softmax: (x) => rows(x, (row) => logSoftmax(row).map(Math.exp)),
  logSoftmax: (x) => rows(x, logSoftmax),
  silu: (x) => map(x, (v) => v / (1 + Math.exp(-v))),
  gelu: (x) => map(x, (v) => (v / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)))),
  tanh: (x) => map(x, Math.tanh),
  norm: (x) => rows(x, (row) => [Math.hypot(...row)]),
  sum: (x) => float64Ops.reshape(rows(x, (row) => [row.reduce((sum, v) => sum + v, 0)]), x.shape.slice(0, -1)),
  scale: (x, factor) => map(x, (v) => v * factor),
  shift: (x, addend) => map(x, (v) => v + addend),
  slice: (x, axis, start, length) => fill(x.shape.with(axis, length), (index) => read(x, index.with(axis, index[axis]! + start))),
  reshape: (x, shape) => {
    const kept = shape.map((length, axis) => (length === 0 ? x.shape[axis]! : length));
    const rest = x.data.length / kept.reduce((product, length) => (length === -1 ? product : product * length), 1);
    return { shape: kept.map((length) => (length === -1 ? rest : length)), data: x.data };
  },
  transpose: (x, permutation) =>
    fill(
      permutation.map((axis) => x.shape[axis]!),
      (index) => {
        const from: number[] = [];
        permutation.forEach((axis, i) => (from[axis] = index[i]!));
        return read(x, from);
      },
    ),
  concat: (parts, axis) => {
    const shape = parts[0]!.shape.with(axis, parts.reduce((sum, part) => sum + part.shape[axis]!, 0));
    return fill(shape, (index) => {
      let place = index[axis]!;
      const part = parts.find((candidate) => {
        if (place < candidate.shape[axis]!) return true;
        place -= candidate.shape[axis]!;
        return false;
      })!;
      return read(part, index.with(axis, place));
    });
  },
  spread: (x, slots) => slots.map((group) => float64Ops.embedding(x, group)),
  join: (parts, _slots, places) => {
    const flat = parts.map((part) => float64Ops.reshape(part, [-1, part.shape.at(-1)!]));
    return float64Ops.embedding(float64Ops.concat(flat, 0), places);
  },
};

/** Each row on the steps of 1/127 of its largest number; halves go to the even one. */
function roundedRows(x: Float64Tensor): Float64Tensor {
  return rows(x, (row) => {
    const largest = Math.max(...row.map(Math.abs), 1e-30);
    return row.map((v) => {
      const steps = (v / largest) * 127;
      const down = Math.floor(steps);
      const up = steps - down > 0.5 || (steps - down === 0.5 && down % 2 !== 0);
      return ((down + Number(up)) * largest) / 127;
    });
  });
}

function logSoftmax(row: readonly number[]): number[] {
  const largest = Math.max(...row);
  const logSum = largest + Math.log(row.reduce((sum, v) => sum + Math.exp(v - largest), 0));
  return row.map((v) => v - logSum);
}

function make(shape: readonly number[], value: (at: number) => number): Float64Tensor {
  return { shape, data: Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, at) => value(at)) };
}

function fill(shape: readonly number[], value: (index: number[]) => number): Float64Tensor {
  return make(shape, (at) => {
    const index: number[] = [];
    let rest = at;
    for (const length of shape.toReversed()) {
      index.unshift(rest % length);
      rest = Math.floor(rest / length);
    }
    return value(index);
  });
}

/** The element at an index of a shape that this one broadcasts to. */
function read({ shape, data }: Float64Tensor, index: readonly number[]): number {
  const own = index.slice(index.length - shape.length);
  return data[shape.reduce((at, length, axis) => at * length + (length === 1 ? 0 : own[axis]!), 0)]!;
}

function broadcastShape(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => Math.max(a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1));
}

function elementwise(a: Float64Tensor, b: Float64Tensor, combine: (x: number, y: number) => number): Float64Tensor {
  return fill(broadcastShape(a.shape, b.shape), (index) => combine(read(a, index), read(b, index)));
}

function map({ shape, data }: Float64Tensor, change: (v: number) => number): Float64Tensor {
  return { shape, data: data.map(change) };
}

/** Each row of the last axis by another, all of one length. */
function rows({ shape, data }: Float64Tensor, change: (row: number[]) => number[]): Float64Tensor {
  const width = shape.at(-1)!;
  const changed = Array.from({ length: data.length / width }, (_, row) => change([...data.subarray(row * width, (row + 1) * width)]));
  return { shape: [...shape.slice(0, -1), changed[0]!.length], data: Float64Array.from(changed.flat()) };
}
