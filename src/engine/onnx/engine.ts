import { realpath } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { errors } from '../../errors.ts';
import type { FilePart, QuantizedTensor, Weight } from '../../models/types.ts';
import type { Engine, Executable, Program } from '../engine.ts';
import type { TensorData } from '../ops.ts';
import { gradients } from './autodiff.ts';
import { exactIntegers } from './exact-integers.ts';
import { Graph, type Value } from './graph.ts';
import { lowerForWebGpu } from './lower.ts';
import { OnnxOps } from './ops.ts';
import { serialize } from './serialize.ts';

// ONNX Runtime counts what it is used for and sends that to its makers, unless this is said before its first session.
process.env['ORT_DISABLE_TELEMETRY'] = '1';

export interface OnnxOptions {
  /** Threads that a matrix product on the CPU uses; ONNX Runtime's own choice when undefined. */
  readonly threads: number | undefined;
  /** What computes; the CPU when undefined. A GPU that is not there may end the process: see `probeInChild`. */
  readonly device?: 'cpu' | 'webgpu' | undefined;
  /** Where ONNX Runtime writes what it ran, and where: the beginning of a path. A session writes when it is disposed of. */
  readonly profile?: string | undefined;
}

/** The engine over ONNX Runtime. */
export function onnxEngine(options: OnnxOptions): Engine {
  return {
    name: 'onnx',
    compile: async (program) => new OnnxExecutable(await load(program, options), options),
    differentiate: async (program, loss, parameters) => new OnnxExecutable(await load(program, options, { loss, parameters }), options),
  };
}

/** Makes the session of a program, with its backward pass where one is asked for. */
async function load<I extends string, O extends string>(
  program: Program<I, O>,
  options: OnnxOptions,
  backward?: { readonly loss: O; readonly parameters: readonly I[] },
): Promise<InferenceSession> {
  const graph = new Graph();
  const ops = new OnnxOps(graph);
  const inputs = {} as Record<I, Value>;
  for (const [name, { type, shape }] of entries(program.inputs)) inputs[name] = graph.input(name, type, shape);

  const folders = new Set<string>();
  const weights = new Map<string, Value>();
  const files = await realFiles(program.weights.values());
  const weight = (name: string): Value => {
    const known = weights.get(name);
    if (known !== undefined) return known;
    const tensor = program.weights.get(name);
    if (tensor === undefined) throw errors.badModelFile(`The model has no tensor "${name}".`);
    for (const { file } of partsOf(tensor)) folders.add(dirname(files.get(file)!));
    const real = <P extends FilePart>(part: P): P => ({ ...part, file: files.get(part.file)! });
    const value = 'bits' in tensor ? ops.dequantized(withParts(tensor, real)) : graph.stored(real(tensor));
    weights.set(name, value);
    return value;
  };
  const outputs = program.build(ops, inputs, weight);
  for (const [name, value] of entries(outputs)) graph.output(name, value);
  if (backward !== undefined) {
    const { loss, parameters } = backward;
    gradients(ops, outputs[loss], parameters.map((name) => inputs[name])).forEach((gradient, i) => {
      if (gradient === undefined) throw new RangeError(`"${loss}" does not depend on "${parameters[i]}"`);
      graph.output(`gradient.${parameters[i]}`, gradient);
    });
  }
  if (folders.size > 1)
    throw errors.unsupported(`The model's files lie in several folders (${[...folders].map((f) => basename(f)).join(', ')}): put them into one.`);

  const [folder] = folders;
  if (options.device === 'webgpu') lowerForWebGpu(graph);
  const integers = isRounded(graph) ? await exactIntegers() : {};
  return createSession(serialize(graph), options, { folder, integers, backward: backward && backwardOptions(graph) });
}

/** The files behind symbolic links: ONNX Runtime refuses a link that leaves its folder, as those of the hub's cache do. */
async function realFiles(weights: Iterable<Weight>): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const { file } of [...weights].flatMap(partsOf)) {
    if (files.has(file)) continue;
    const real = await realpath(file).catch((cause: unknown) => {
      throw errors.notFound(`The weights ${file} are gone.`, cause);
    });
    files.set(file, real);
  }
  return files;
}

function partsOf(weight: Weight): FilePart[] {
  if (!('bits' in weight)) return [weight];
  const { quants, scales, minimums } = weight;
  return [quants, scales, ...(minimums === undefined ? [] : [minimums])];
}

function withParts(tensor: QuantizedTensor, change: (part: FilePart) => FilePart): QuantizedTensor {
  const { quants, scales, minimums } = tensor;
  return { ...tensor, quants: change(quants), scales: change(scales), minimums: minimums && change(minimums) };
}

/**
 * How a backward pass is run: what it computes again must not be merged with the first time, and weights in float32 are not
 * packed, a copy forward and one backward, for the little that it gains in long products.
 */
const backwardOptions = (graph: Graph) => ({
  session: isRounded(graph) ? {} : { disable_prepacking: '1' },
  optimization: { disable_specified_optimizers: 'CommonSubexpressionElimination' },
});

/** Whether it multiplies integers. */
const isRounded = ({ nodes }: Graph): boolean => nodes.some(({ op }) => op === 'MatMulIntegerToFloat');

async function createSession(
  model: Uint8Array,
  { threads, device = 'cpu', profile }: OnnxOptions,
  { folder, integers, backward }: { readonly folder: string | undefined; readonly integers: Readonly<Record<string, string>>; readonly backward: ReturnType<typeof backwardOptions> | undefined },
): Promise<InferenceSession> {
  const external = folder === undefined ? {} : { model_external_initializers_file_folder_path: folder };
  const { session, ...others } = backward ?? { session: {} };
  try {
    return await InferenceSession.create(model, {
      executionProviders: [device],
      graphOptimizationLevel: backward === undefined ? 'all' : 'basic',
      executionMode: 'sequential',
      // Shapes change from run to run: a plan for one of them would only hold memory.
      enableMemPattern: false,
      logSeverityLevel: 3,
      ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
      ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile }),
      extra: { session: { ...session, ...external, ...integers }, ...others },
    });
  } catch (cause) {
    throw errors.engine(`ONNX Runtime cannot load the model: ${firstLine(cause)}`, cause);
  }
}

class OnnxExecutable<I extends string, O extends string> implements Executable<I, O> {
  readonly #session: InferenceSession;
  readonly #options: OnnxOptions;

  constructor(session: InferenceSession, options: OnnxOptions) {
    this.#session = session;
    this.#options = options;
  }

  async run(feeds: Readonly<Record<I, TensorData>>): Promise<Record<O, { data: Float32Array; shape: readonly number[] }>> {
    const tensors: Record<string, Tensor> = {};
    for (const [name, { type, data, shape }] of entries(feeds)) tensors[name] = new Tensor(type, data, shape);
    const results = {} as Record<O, { data: Float32Array; shape: readonly number[] }>;
    try {
      const outputs = await this.#session.run(tensors);
      for (const [name, tensor] of entries(outputs)) {
        results[name as O] = { data: tensor.data as Float32Array, shape: tensor.dims };
      }
    } catch (cause) {
      throw errors.engine(`ONNX Runtime failed while computing: ${firstLine(cause)}`, cause);
    }
    return results;
  }

  async dispose(): Promise<void> {
    if (this.#options.profile !== undefined) this.#session.endProfiling();
    await this.#session.release();
  }
}

/** What ONNX Runtime says, without the place in its own source that it begins with. */
function firstLine(cause: unknown): string {
  const line = (cause instanceof Error ? cause.message : String(cause)).split('\n')[0] ?? '';
  return line.replace(/^\/onnxruntime_src\/.* was false\. /, '');
}

function entries<K extends string, V>(record: Readonly<Record<K, V>>): [K, V][] {
  return Object.entries(record) as [K, V][];
}
