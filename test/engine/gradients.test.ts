import { describe, expect, test } from 'vitest';
import type { Engine, Program } from '../../src/engine/engine.ts';
import type { TensorData } from '../../src/engine/ops.ts';
import { Random } from '../../src/random.ts';
import { engine as onnx } from '../reference.ts';
import { float64Ops, type Float64Tensor } from './float64-ops.ts';
import { opCases, valuesOf, type OpCase } from './op-cases.ts';
import { describeWithTensorFlow, tensorflow } from './tensorflow-engine.ts';
import { describeWithWebGpu, webgpu } from './webgpu-device.ts';

/** What float32 reaches, relative to the largest number of a tensor. */
const tolerance = 1e-5;

/** Half the distance of the two points of a difference: in float64 it costs 1e-8. */
const step = 1e-4;

/** Outputs and gradients, by name. */
type Numbers = Record<string, ArrayLike<number>>;

describe('the operations over ONNX Runtime', () => {
  test.each(opCases)('$name, and its gradient', async (opCase) => {
    expectClose(await compute(onnx, opCase), exact(opCase));
  });
});

describeWithTensorFlow('the operations over TensorFlow', () => {
  test.each(opCases)('$name, and its gradient', async (opCase) => {
    const numbers = await compute(await tensorflow(), opCase);
    expectClose(numbers, exact(opCase));
    expectClose(numbers, await compute(onnx, opCase));
  });
});

describeWithWebGpu('the operations over ONNX Runtime on a GPU', () => {
  test.each(opCases)('$name, and its gradient', async (opCase) => {
    expectClose(await compute(webgpu, opCase), exact(opCase));
  });
});

test('every operation has a case', () => {
  expect(new Set(opCases.map(({ op }) => op))).toEqual(new Set(Object.keys(float64Ops)));
});

/** What an engine gives: y, and the gradient of Σ y·p by each input, with p drawn at random so that no part of y counts as another. */
async function compute(engine: Engine, opCase: OpCase): Promise<Numbers> {
  const values = valuesOf(opCase);
  const length = forward(opCase, values).data.length;
  const program: Program<string, 'y' | 'loss'> = {
    inputs: {
      ...Object.fromEntries(Object.entries(opCase.inputs).map(([name, shape]) => [name, { type: 'float32', shape }])),
      ...Object.fromEntries(Object.entries(opCase.ids ?? {}).map(([name, { shape }]) => [name, { type: 'int64', shape }])),
      projection: { type: 'float32', shape: [1, length] },
    },
    weights: new Map(),
    build: (ops, inputs) => {
      const y = opCase.build(ops, inputs);
      return { y, loss: ops.sum(ops.mul(ops.reshape(y, [1, -1]), inputs['projection']!)) };
    },
  };
  const executable = await engine.differentiate(program, 'loss', parametersOf(opCase));
  const float32 = (data: Float64Array, shape: readonly number[]): TensorData => ({ type: 'float32', data: Float32Array.from(data), shape });
  const { loss: _, ...numbers } = await executable.run({
    ...Object.fromEntries(Object.entries(opCase.inputs).map(([name, shape]) => [name, float32(values[name]!, shape)])),
    ...Object.fromEntries(Object.entries(opCase.ids ?? {}).map(([name, { shape, data }]) => [name, { type: 'int64' as const, data: BigInt64Array.from(data, BigInt), shape }])),
    projection: float32(projection(length), [1, length]),
  });
  await executable.dispose();
  return Object.fromEntries(Object.entries(numbers).map(([name, { data }]) => [name, data]));
}

/** The same in float64: the operation by its definition, its gradient by central differences. */
function exact(opCase: OpCase): Numbers {
  const values = valuesOf(opCase);
  const y = forward(opCase, values).data;
  const p = projection(y.length);
  const loss = (changed: Record<string, Float64Array>): number => forward(opCase, changed).data.reduce((sum, v, i) => sum + v * p[i]!, 0);
  const dy = opCase.backward && { shape: forward(opCase, values).shape, data: p };
  const known = dy && opCase.backward?.(float64Ops, inputsOf(opCase, values), dy);
  const gradients = parametersOf(opCase).map((name) => {
    if (known !== undefined) return [`gradient.${name}`, known[name]!.data] as const;
    const value = values[name]!;
    const at = (i: number, moved: number) => loss({ ...values, [name]: value.with(i, value[i]! + moved) });
    return [`gradient.${name}`, value.map((_, i) => (at(i, step) - at(i, -step)) / (2 * step))] as const;
  });
  return { y, ...Object.fromEntries(gradients) };
}

function forward(opCase: OpCase, values: Record<string, Float64Array>): Float64Tensor {
  return opCase.build(float64Ops, inputsOf(opCase, values));
}

function inputsOf(opCase: OpCase, values: Record<string, Float64Array>): Record<string, Float64Tensor> {
  const inputs = Object.entries(opCase.inputs).map(([name, shape]) => [name, { shape, data: values[name]! }] as const);
  const ids = Object.entries(opCase.ids ?? {}).map(([name, { shape, data }]) => [name, { shape, data: Float64Array.from(data) }] as const);
  return Object.fromEntries([...inputs, ...ids]);
}

function parametersOf({ inputs, frozen = [] }: OpCase): string[] {
  return Object.keys(inputs).filter((name) => !frozen.includes(name));
}

function projection(length: number): Float64Array {
  const random = Random.fromSeed(length);
  return Float64Array.from({ length }, () => Math.fround(2 * random.float() - 1));
}

function expectClose(found: Numbers, expected: Numbers): void {
  expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
  for (const [name, values] of Object.entries(expected)) {
    const list = Array.from(values);
    const largest = Math.max(...list.map(Math.abs), 1e-3);
    const worst = Math.max(...list.map((value, i) => Math.abs(found[name]![i]! - value))) / largest;
    expect([found[name]!.length, worst <= tolerance], `${name} is off by ${worst}`).toEqual([list.length, true]);
  }
}
