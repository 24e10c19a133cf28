/**
 * What we use of TensorFlow.js, as its documentation states it. The package is no dependency of ours, so its own types
 * are not here.
 */
export interface TensorFlow {
  readonly version: Readonly<Record<'tfjs-node', string>>;
  tensor(values: Float32Array | Int32Array, shape: readonly number[], dtype: 'float32' | 'int32'): Tensor;
  zeros(shape: readonly number[]): Tensor;
  add(a: Tensor, b: Tensor | number): Tensor;
  sub(a: Tensor, b: Tensor): Tensor;
  mul(a: Tensor, b: Tensor | number): Tensor;
  div(a: Tensor, b: Tensor | number): Tensor;
  abs(x: Tensor): Tensor;
  round(x: Tensor): Tensor;
  maximum(a: Tensor, b: number): Tensor;
  max(x: Tensor, axis: number, keepDims: boolean): Tensor;
  zerosLike(x: Tensor): Tensor;
  square(x: Tensor): Tensor;
  sqrt(x: Tensor): Tensor;
  rsqrt(x: Tensor): Tensor;
  sigmoid(x: Tensor): Tensor;
  tanh(x: Tensor): Tensor;
  softmax(x: Tensor): Tensor;
  logSoftmax(x: Tensor): Tensor;
  mean(x: Tensor, axis: number, keepDims: boolean): Tensor;
  sum(x: Tensor, axis: number, keepDims?: boolean): Tensor;
  matMul(a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean): Tensor;
  gather(x: Tensor, indices: Tensor): Tensor;
  slice(x: Tensor, begin: readonly number[], size: readonly number[]): Tensor;
  reshape(x: Tensor, shape: readonly number[]): Tensor;
  transpose(x: Tensor, permutation: readonly number[]): Tensor;
  concat(parts: readonly Tensor[], axis: number): Tensor;
  /** f as an operation whose gradients by its inputs `gradFunc` gives, from those by its value and what was saved. */
  customGrad(
    f: (a: Tensor, b: Tensor, save: (tensors: Tensor[]) => void) => { readonly value: Tensor; readonly gradFunc: (dy: Tensor, saved: Tensor[]) => Tensor[] },
  ): (a: Tensor, b: Tensor) => Tensor;
  variable(initial: Tensor): Tensor;
  readonly train: { adam(lr: number): { minimize(f: () => Tensor): void; dispose(): void } };
  /** Runs `f` and frees every tensor made in it but those it returns. */
  tidy<R>(f: () => R): R;
  backend(): {
    /** tfjs-node's own; other backends have none. */
    readonly binding?: { readonly TF_Version: string };
    readonly isUsingGpuDevice?: boolean;
  };
  memory(): { readonly numTensors: number; readonly numBytes: number };
  engine(): {
    /** The gradient of f's value by each of `xs`, which f uses. */
    gradients(f: () => Tensor, xs: readonly Tensor[]): { readonly value: Tensor; readonly grads: readonly Tensor[] };
  };
}

export interface Tensor {
  readonly shape: readonly number[];
  dataSync(): Float32Array;
  dispose(): void;
}
