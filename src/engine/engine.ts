import type { Weight } from '../models/types.ts';
import type { InputSpec, Ops, TensorData } from './ops.ts';

/** A computation, written once over `Ops`, that any engine can make executable. */
export interface Program<I extends string, O extends string> {
  readonly inputs: Readonly<Record<I, InputSpec>>;
  /** The tensors that `weight` may ask for, by name. */
  readonly weights: ReadonlyMap<string, Weight>;
  build<T>(ops: Ops<T>, inputs: Readonly<Record<I, T>>, weight: (name: string) => T): Record<O, T>;
}

/** A program with its weights in memory. */
export interface Executable<I extends string, O extends string> {
  /** Computes once. It may hold the JavaScript thread until it is done and cannot be interrupted. Errors: ENGINE. */
  run(feeds: Readonly<Record<I, TensorData>>): Promise<Record<O, { data: Float32Array; shape: readonly number[] }>>;
  /** Frees what the engine holds; the executable cannot run after it. */
  dispose(): Promise<void>;
}

/** The output that holds the gradient of the loss by an input. */
export type GradientOf<P extends string> = `gradient.${P}`;

export interface Engine {
  readonly name: 'onnx' | 'tensorflow';
  /** Errors: ENGINE when a graph is refused, NOT_FOUND when a weight's file is gone. */
  compile<I extends string, O extends string>(program: Program<I, O>): Promise<Executable<I, O>>;
  /**
   * The program with its backward pass: one run gives its outputs and the gradient of `loss`, an output with one
   * element, by each of the `parameters`, in the input's own shape. Errors: as `compile`.
   */
  differentiate<I extends string, O extends string, P extends I>(
    program: Program<I, O>,
    loss: O,
    parameters: readonly P[],
  ): Promise<Executable<I, O | GradientOf<P>>>;
}
