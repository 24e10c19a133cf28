import { errors } from '../../errors.ts';
import type { StoredTensor } from '../../models/types.ts';
import type { Engine, Executable, GradientOf, Program } from '../engine.ts';
import type { TensorData } from '../ops.ts';
import { checkFeeds, toTensor } from './feeds.ts';
import { loadTensorFlow, reasonOf, type TensorFlowOptions } from './load.ts';
import { TensorFlowOps, type Step } from './ops.ts';
import { dependents, planSteps, replay, type PlannedStep } from './replay.ts';
import type { Tensor, TensorFlow } from './tf.ts';
import { SharedWeights } from './weights.ts';

/**
 * The engine over TensorFlow.js, whose gradients are its own. A process has one TensorFlow: the threads and the device
 * of the first one made are those of all. Errors: ENGINE where it is not installed or cannot be loaded.
 */
export async function tensorflowEngine(options: TensorFlowOptions): Promise<Engine> {
  return engineOver(await loadTensorFlow(options));
}

/** The engine over a TensorFlow.js that has been loaded. */
export function engineOver(tf: TensorFlow): Engine {
  const weights = new SharedWeights(tf);
  return {
    name: 'tensorflow',
    compile: (program) => load(tf, weights, program),
    differentiate: (program, loss, parameters) => load(tf, weights, program, { loss, parameters }),
  };
}

/** Which output is differentiated by which inputs. */
interface Backward<I extends string, O extends string> {
  readonly loss: O;
  readonly parameters: readonly I[];
}

async function load<I extends string, O extends string, P extends I = never>(
  tf: TensorFlow,
  shared: SharedWeights,
  program: Program<I, O>,
  backward?: Backward<P, O>,
): Promise<TensorFlowExecutable<I, O, P>> {
  const inputs = {} as Record<I, Step>;
  for (const name of keys(program.inputs)) inputs[name] = { inputs: [] };
  const asked = new Map<StoredTensor, Step>();
  const ops = new TensorFlowOps(tf);
  const outputs = program.build(ops, inputs, (name) => {
    const stored = program.weights.get(name);
    if (stored === undefined) throw errors.badModelFile(`The model has no tensor "${name}".`);
    if ('bits' in stored) throw errors.unsupported('TensorFlow.js does not compute with quantized weights: choose --engine onnx, or leave --base-bits out.');
    const step = asked.get(stored) ?? { inputs: [] };
    asked.set(stored, step);
    return step;
  });
  if (backward !== undefined) {
    const { loss, parameters } = backward;
    const missing = parameters.find((name) => !dependents(ops.steps, inputs[name]).has(outputs[loss]));
    if (missing !== undefined) throw new RangeError(`"${loss}" does not depend on "${missing}"`);
  }
  const plan = planSteps(ops.steps, Object.values(outputs));
  const stored = [...asked.keys()];
  const tensors = await shared.take(stored);
  const weights = new Map([...asked.values()].map((step, i) => [step, tensors[i]!]));
  return new TensorFlowExecutable(tf, { program, inputs, outputs, plan, weights, backward, release: () => shared.release(stored) });
}

type Results<O extends string> = Record<O, { data: Float32Array; shape: readonly number[] }>;

/** A program as steps, with its weights as tensors. */
interface Loaded<I extends string, O extends string, P extends I> {
  readonly program: Program<I, O>;
  readonly inputs: Readonly<Record<I, Step>>;
  readonly outputs: Readonly<Record<O, Step>>;
  readonly plan: readonly PlannedStep[];
  readonly weights: ReadonlyMap<Step, Tensor>;
  readonly backward: Backward<P, O> | undefined;
  readonly release: () => Promise<void>;
}

class TensorFlowExecutable<I extends string, O extends string, P extends I> implements Executable<I, O | GradientOf<P>> {
  readonly #tf: TensorFlow;
  readonly #loaded: Loaded<I, O, P>;
  #disposed = false;

  constructor(tf: TensorFlow, loaded: Loaded<I, O, P>) {
    this.#tf = tf;
    this.#loaded = loaded;
  }

  async run(feeds: Readonly<Record<I, TensorData>>): Promise<Results<O | GradientOf<P>>> {
    if (this.#disposed) throw errors.engine('TensorFlow was asked to compute with a model that has been freed.');
    const { program, inputs, weights, backward } = this.#loaded;
    checkFeeds(program.inputs, feeds);
    try {
      return this.#tf.tidy(() => {
        const values = new Map(weights);
        for (const name of keys(inputs)) values.set(inputs[name], toTensor(this.#tf, feeds[name]));
        return backward === undefined ? (this.#forward(values) as Results<O | GradientOf<P>>) : this.#forwardAndBackward(values, backward);
      });
    } catch (cause) {
      throw errors.engine(`TensorFlow failed while computing: ${reasonOf(cause)}.`, cause);
    }
  }

  #forward(values: Map<Step, Tensor>): Results<O> {
    replay(this.#tf, this.#loaded.plan, values);
    const { outputs } = this.#loaded;
    return Object.fromEntries(keys(outputs).map((name) => [name, read(values.get(outputs[name])!)])) as Results<O>;
  }

  #forwardAndBackward(values: Map<Step, Tensor>, { loss, parameters }: Backward<P, O>): Results<O | GradientOf<P>> {
    const { inputs, outputs } = this.#loaded;
    let results: Results<O> | undefined;
    // What is read inside is read before TensorFlow.js frees it.
    const { grads } = this.#tf.engine().gradients(
      () => {
        results = this.#forward(values);
        return values.get(outputs[loss])!;
      },
      parameters.map((name) => values.get(inputs[name])!),
    );
    const gradients = parameters.map((name, i) => [`gradient.${name}`, read(grads[i]!)]);
    return { ...results, ...Object.fromEntries(gradients) } as Results<O | GradientOf<P>>;
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await this.#loaded.release();
  }
}

function read(tensor: Tensor): { data: Float32Array; shape: readonly number[] } {
  return { data: tensor.dataSync(), shape: tensor.shape };
}

function keys<K extends string>(record: Readonly<Record<K, unknown>>): K[] {
  return Object.keys(record) as K[];
}
