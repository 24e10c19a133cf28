import { describe, expect, test } from 'vitest';
import { Graph } from '../../src/engine/onnx/graph.ts';
import { OnnxOps } from '../../src/engine/onnx/ops.ts';
import { broadcast, multiplied, reshaped } from '../../src/engine/onnx/shapes.ts';
import type { Ops } from '../../src/engine/ops.ts';
import { engine } from '../reference.ts';

/** Runs an operation on float32 tensors given as shape and values. */
async function compute(build: <T>(ops: Ops<T>, inputs: readonly T[]) => T, ...tensors: (readonly [number[], number[]])[]) {
  const names = tensors.map((_, i) => `x${i}`);
  const executable = await engine.compile<string, 'y'>({
    inputs: Object.fromEntries(tensors.map(([shape], i) => [names[i]!, { type: 'float32' as const, shape }])),
    weights: new Map(),
    build: (ops, inputs) => ({ y: build(ops, names.map((name) => inputs[name]!)) }),
  });
  const { y } = await executable.run(
    Object.fromEntries(tensors.map(([shape, data], i) => [names[i]!, { type: 'float32' as const, data: Float32Array.from(data), shape }])),
  );
  await executable.dispose();
  return { shape: y.shape, data: [...y.data] };
}

const close = (values: number[]): unknown[] => values.map((value) => expect.closeTo(value, 5));

describe('the operations over ONNX Runtime', () => {
  test('matmul multiplies, transposes b and scales', async () => {
    const a = [[1, 2, 2], [1, 2, 3, 4]] as const;
    const b = [[1, 2, 2], [5, 6, 7, 8]] as const;
    expect(await compute((ops, [x, y]) => ops.matmul(x!, y!), [[...a[0]], [...a[1]]], [[...b[0]], [...b[1]]])).toEqual({ shape: [1, 2, 2], data: [19, 22, 43, 50] });
    expect(
      await compute((ops, [x, y]) => ops.matmul(x!, y!, { transposeB: true, alpha: 0.5 }), [[...a[0]], [...a[1]]], [[...b[0]], [...b[1]]]),
    ).toEqual({ shape: [1, 2, 2], data: [8.5, 11.5, 19.5, 26.5] });
  });

  test('linear multiplies by the transposed weight and adds the bias', async () => {
    const y = await compute((ops, [x, w, b]) => ops.linear(x!, w!, b!), [[1, 2], [1, 2]], [[3, 2], [1, 0, 0, 1, 1, 1]], [[3], [10, 20, 30]]);
    expect(y).toEqual({ shape: [1, 3], data: [11, 22, 33] });
  });

  test('roundedLinear adds the largest products there are without overflow, for one row and for several', async () => {
    for (const rows of [1, 4]) {
      const { data } = await compute((ops, [x, w]) => ops.roundedLinear(x!, w!), [[rows, 64], Array<number>(rows * 64).fill(1)], [[8, 64], Array<number>(512).fill(1)]);
      expect(data).toEqual(close(Array<number>(rows * 8).fill(64)));
    }
  });

  test('rmsNorm divides by the root of the mean square', async () => {
    const { data } = await compute((ops, [x, g]) => ops.rmsNorm(x!, g!, 1e-6), [[1, 2], [3, 4]], [[2], [1, 10]]);
    expect(data).toEqual(close([3 / Math.sqrt(12.5), 40 / Math.sqrt(12.5)]));
  });

  test('rotary turns the pair (i, i + d/2) of each head', async () => {
    const [cos, sin] = [Math.cos(0.3), Math.sin(0.3)];
    const { data } = await compute((ops, [x, c, s]) => ops.rotary(x!, c!, s!, 2), [[1, 1, 4], [1, 2, 3, 4]], [[1, 1], [cos]], [[1, 1], [sin]]);
    expect(data).toEqual(close([cos - 2 * sin, sin + 2 * cos, 3 * cos - 4 * sin, 3 * sin + 4 * cos]));
  });

  test('softmax, logSoftmax, silu, norm, sum, scale, sub and div do what their names say', async () => {
    const x: [number[], number[]] = [[1, 2], [0, Math.log(3)]];
    expect((await compute((ops, [v]) => ops.softmax(v!), x)).data).toEqual(close([0.25, 0.75]));
    expect((await compute((ops, [v]) => ops.logSoftmax(v!), x)).data).toEqual(close([Math.log(0.25), Math.log(0.75)]));
    expect((await compute((ops, [v]) => ops.silu(v!), x)).data).toEqual(close([0, Math.log(3) * 0.75]));
    expect(await compute((ops, [v]) => ops.norm(v!), [[1, 2], [3, 4]])).toEqual({ shape: [1, 1], data: [5] });
    expect(await compute((ops, [v]) => ops.sum(v!), [[1, 2], [3, 4]])).toEqual({ shape: [1], data: [7] });
    expect((await compute((ops, [v]) => ops.scale(v!, -2), [[2], [3, 4]])).data).toEqual([-6, -8]);
    expect((await compute((ops, [v, w]) => ops.sub(v!, w!), [[2], [3, 4]], [[1], [1]])).data).toEqual([2, 3]);
    expect((await compute((ops, [v, w]) => ops.div(v!, w!), [[2], [3, 4]], [[1], [2]])).data).toEqual([1.5, 2]);
  });

  test('a shape that an engine refuses is an error with a code', async () => {
    const executable = await engine.compile<'x', 'y'>({
      inputs: { x: { type: 'float32', shape: ['N', 2] } },
      weights: new Map(),
      build: (ops, { x }) => ({ y: ops.norm(x) }),
    });
    const run = executable.run({ x: { type: 'float32', data: new Float32Array(3), shape: [1, 3] } });
    await expect(run).rejects.toMatchObject({ code: 'ENGINE' });
  });
});

describe('the graph', () => {
  test('keeps inputs, attributes and the shape of every output for the backward pass', () => {
    const graph = new Graph();
    const ops = new OnnxOps(graph);
    const x = graph.input('x', 'float32', ['B', 'S', 8]);
    const gain = graph.input('gain', 'float32', [8]);
    ops.transpose(ops.reshape(ops.rmsNorm(x, gain, 1e-5), [0, 0, 2, 4]), [0, 2, 1, 3]);
    expect(graph.nodes.map(({ op, outputs }) => [op, outputs.map(({ shape }) => shape)])).toEqual([
      ['SimplifiedLayerNormalization', [['B', 'S', 8], ['B', 'S', 1]]],
      ['Reshape', [['B', 'S', 2, 4]]],
      ['Transpose', [['B', 2, 'S', 4]]],
    ]);
    expect(graph.nodes[0]!.attributes).toEqual({ axis: -1, epsilon: 1e-5 });
    expect(graph.nodes[0]!.inputs).toEqual([x, gain]);
  });
});

describe('shapes', () => {
  test('broadcast takes a named axis over 1 and refuses lengths that differ', () => {
    expect(broadcast(['B', 1, 4], ['S', 4])).toEqual(['B', 'S', 4]);
    expect(() => broadcast([2, 3], [2, 4])).toThrow(RangeError);
  });
  test('reshaped finds the axis that is left', () => {
    expect(reshaped(['B', 'S', 8], [0, 0, 2, -1])).toEqual(['B', 'S', 2, 4]);
    expect(reshaped(['B', 'S', 8], [-1, 8])).toEqual(['B*S', 8]);
    expect(() => reshaped([3, 5], [2, -1])).toThrow(RangeError);
  });
  test('multiplied refuses inner axes that differ', () => {
    expect(multiplied(['B', 1, 'S', 4], ['B', 3, 'S', 4], true)).toEqual(['B', 3, 'S', 'S']);
    expect(() => multiplied([2, 3], [4, 5], false)).toThrow(RangeError);
  });
});
