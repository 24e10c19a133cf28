import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { float32Source, readSafetensors, writeSafetensors } from '../models/safetensors.ts';
import type { StoredTensor } from '../models/types.ts';
import { Random } from '../random.ts';
import type { Engine, Program } from './engine.ts';
import type { InputSpec, Ops, TensorData } from './ops.ts';

/** A model large enough for its matrix products to decide, and small enough to be measured in seconds. */
const [batch, length, width, inner, heads, rank, layers] = [8, 64, 576, 1536, 9, 16, 2];
const [warmUpSteps, measuredSteps] = [1, 4];

/** Outputs and inputs of the projections of a layer. */
const projections = {
  query: [width, width],
  key: [width, width],
  value: [width, width],
  out: [width, width],
  gate: [inner, width],
  up: [inner, width],
  down: [width, inner],
} as const satisfies Record<string, readonly [number, number]>;
type Projection = keyof typeof projections;

/**
 * How long an engine takes for the forward and backward pass of a small transformer with a frozen base and a LoRA on
 * every projection: the least of a few, in seconds. Errors: those of the engine, WRITE_FAILED.
 */
export async function trainingStepSeconds(engine: Engine): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'l3prune-probe-'));
  try {
    const { inputs, ...rest } = transformer(await writeWeights(join(folder, 'model.safetensors')));
    const { x: _, ...parameters } = inputs;
    const executable = await engine.differentiate({ inputs, ...rest }, 'loss', Object.keys(parameters));
    const random = Random.fromSeed(0);
    const feeds = Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, uniform(random, shape as number[])]));
    let least = Infinity;
    for (let step = 0; step < warmUpSteps + measuredSteps; step++) {
      const started = performance.now();
      await executable.run(feeds);
      if (step >= warmUpSteps) least = Math.min(least, (performance.now() - started) / 1000);
    }
    await executable.dispose();
    return least;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function writeWeights(path: string): Promise<ReadonlyMap<string, StoredTensor>> {
  const random = Random.fromSeed(1);
  const source = (name: string, shape: readonly number[]) => float32Source(name, shape, uniform(random, shape).data);
  const tensors = byProjection((name, [outputs, inputs]) => source(name, [outputs, inputs]));
  await writeSafetensors(path, [source('gain', [width]), ...tensors]);
  return readSafetensors(path);
}

/** Every projection of every layer, by a name of its own. */
function byProjection<R>(make: (name: string, shape: readonly [number, number]) => R): R[] {
  const kinds = Object.entries(projections);
  return Array.from({ length: layers }, (_, layer) => kinds.map(([kind, shape]) => make(`${layer}.${kind}`, shape))).flat();
}

/** Within 1 / sqrt(the last axis), so that products stay of the size of what goes in. */
function uniform(random: Random, shape: readonly number[]): Extract<TensorData, { type: 'float32' }> {
  const bound = 1 / Math.sqrt(shape.at(-1)!);
  const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => (2 * random.float() - 1) * bound);
  return { type: 'float32', data, shape };
}

function transformer(weights: ReadonlyMap<string, StoredTensor>): Program<string, 'loss'> {
  const adapters = byProjection((name, [outputs, inputs]): [string, InputSpec][] => [
    [`${name}.A`, { type: 'float32', shape: [rank, inputs] }],
    [`${name}.B`, { type: 'float32', shape: [outputs, rank] }],
  ]);
  return {
    inputs: { x: { type: 'float32', shape: [batch, length, width] }, ...Object.fromEntries(adapters.flat()) },
    weights,
    build: <T>(ops: Ops<T>, inputs: Readonly<Record<string, T>>, weight: (name: string) => T) => {
      let hidden: T = inputs['x']!; // [B,S,D]
      for (let layer = 0; layer < layers; layer++) {
        hidden = block(ops, hidden, weight('gain'), (x, kind) => {
          const name = `${layer}.${kind}`;
          const low = ops.matmul(x, inputs[`${name}.A`]!, { transposeB: true });
          return ops.add(ops.linear(x, weight(name)), ops.matmul(low, inputs[`${name}.B`]!, { transposeB: true }));
        });
      }
      const flat = ops.reshape(hidden, [1, -1]);
      return { loss: ops.sum(ops.mul(flat, flat)) };
    },
  };
}

function block<T>(ops: Ops<T>, hidden: T, gain: T, project: (x: T, kind: Projection) => T): T {
  const x = ops.rmsNorm(hidden, gain, 1e-5);
  const byHead = (kind: Projection): T => ops.transpose(ops.reshape(project(x, kind), [0, 0, heads, -1]), [0, 2, 1, 3]); // [B,H,S,d]
  const scores = ops.matmul(byHead('query'), byHead('key'), { transposeB: true, alpha: 0.125 }); // [B,H,S,S]
  const mixed = ops.matmul(ops.softmax(scores), byHead('value')); // [B,H,S,d]
  const attended = ops.add(hidden, project(ops.reshape(ops.transpose(mixed, [0, 2, 1, 3]), [0, 0, -1]), 'out'));
  const y = ops.rmsNorm(attended, gain, 1e-5);
  return ops.add(attended, project(ops.mul(ops.silu(project(y, 'gate')), project(y, 'up')), 'down'));
}
