import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { expectClose } from '../check.ts';
import type { Engine, Program } from '../engine.ts';
import type { InputSpec, TensorData } from '../ops.ts';
import { onnxEngine } from './engine.ts';

/** What WebGPU does on this machine. */
export interface WebGpuReport {
  /** The operators that ONNX Runtime computes on the CPU all the same, sorted. */
  readonly onCpu: readonly string[];
}

/**
 * Sees whether WebGPU computes what the CPU does: every operation of `Ops` once, and its gradient. A machine without a GPU
 * throws, or ends the process. Errors: ENGINE.
 */
export async function checkWebGpu(): Promise<WebGpuReport> {
  const folder = await mkdtemp(join(tmpdir(), 'l3prune-webgpu-'));
  try {
    const found = await compute(onnxEngine({ threads: 1, device: 'webgpu', profile: join(folder, 'run') }));
    for (const [name, expected] of Object.entries(await compute(onnxEngine({ threads: 1 })))) expectClose(name, found[name]!, [...expected], 1e-3);
    return { onCpu: await operatorsOnCpu(folder) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const width = 8;
const shapes = {
  table: [5, width],
  bias: [width],
  square: [width, width],
  a: [2, width],
  b: [width, 2],
  gain: [width],
  cos: [3, width / 4],
  sin: [3, width / 4],
} as const satisfies Record<string, readonly number[]>;
type Parameter = keyof typeof shapes;

const program: Program<Parameter | 'ids', 'loss'> = {
  inputs: {
    ids: { type: 'int64', shape: ['B', 'S'] },
    ...parametersAs<InputSpec>((shape) => ({ type: 'float32', shape })),
  },
  weights: new Map(),
  build: (ops, { ids, table, bias, square, a, b, gain, cos, sin }) => {
    const x = ops.rmsNorm(ops.embedding(table, ids), gain, 1e-5); // [B,S,8]
    const q = ops.rotary(ops.adaptedLinear(x, square, a, b, 0.5), cos, sin, 2);
    const byHead = ops.transpose(ops.reshape(q, [0, 0, 2, -1]), [0, 2, 1, 3]); // [B,2,S,4]
    const mixed = ops.matmul(ops.softmax(ops.matmul(byHead, byHead, { transposeB: true, alpha: 0.5 })), byHead);
    const y = ops.linear(ops.reshape(ops.transpose(mixed, [0, 2, 1, 3]), [0, 0, -1]), square, bias);
    const halves = ops.concat([ops.silu(ops.slice(y, 2, 0, 4)), ops.gelu(ops.slice(y, 2, 4, 4))], 2);
    const capped = ops.tanh(ops.sub(ops.add(halves, x), ops.mul(y, x)));
    const unit = ops.div(capped, ops.shift(ops.norm(capped), 1));
    return { loss: ops.sum(ops.reshape(ops.scale(ops.logSoftmax(unit), -0.1), [1, -1])) };
  },
};

async function compute(engine: Engine): Promise<Record<string, Float32Array>> {
  const parameters = (Object.keys(shapes) as Parameter[]).filter((name) => !['square', 'cos', 'sin'].includes(name));
  const executable = await engine.differentiate(program, 'loss', parameters);
  const ids: TensorData = { type: 'int64', shape: [2, 3], data: BigInt64Array.of(0n, 1n, 2n, 4n, 3n, 4n) };
  const results = await executable.run({ ...parametersAs(wave), ids });
  await executable.dispose();
  return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, data]));
}

function parametersAs<V>(make: (shape: readonly number[]) => V): Record<Parameter, V> {
  return Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, make(shape)])) as Record<Parameter, V>;
}

/** Numbers between -1 and 1 that are all different. */
function wave(shape: readonly number[]): TensorData {
  return { type: 'float32', shape, data: Float32Array.from({ length: shape.reduce((x, y) => x * y, 1) }, (_, i) => Math.sin(1 + 1.7 * i)) };
}

const profile = z.array(z.object({ args: z.object({ op_name: z.string().optional(), provider: z.string().optional() }).optional() }));

/** From what ONNX Runtime noted of each node that it ran. */
async function operatorsOnCpu(folder: string): Promise<string[]> {
  const files = await readdir(folder);
  const runs = await Promise.all(files.map(async (file) => profile.parse(JSON.parse(await readFile(join(folder, file), 'utf8')))));
  const events = runs.flat().map(({ args }) => args);
  return [...new Set(events.flatMap((args) => (args?.op_name !== undefined && args.provider === 'CPUExecutionProvider' ? [args.op_name] : [])))].sort();
}
