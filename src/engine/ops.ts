/**
 * The tensor operations that the transformer, the pooling and the loss are written in, over an opaque tensor `T`.
 * An engine implements them: ONNX Runtime by emitting graph nodes, TensorFlow.js by computing.
 */
export interface Ops<T> {
  /** Rows of a table: ids [B,S] of table [V,D] gives [B,S,D]. */
  embedding(table: T, ids: T): T;
  /** x [...,in] times weight [out,in] transposed, plus bias [out]: gives [...,out]. */
  linear(x: T, weight: T, bias?: T): T;
  /**
   * x times (weight + alpha · b a) transposed, where only the low-rank update b [out,rank] a [rank,in] has a gradient:
   * gives [...,out].
   */
  adaptedLinear(x: T, weight: T, a: T, b: T, alpha: number): T;
  /**
   * x times a frozen weight [out,in] transposed in products of 8-bit integers, each row of x and each of weight rounded to
   * steps of 1/127 of its largest number: gives [...,out]. The gradient by x is computed alike, of dy and the weight
   * rounded by its columns, as if nothing had been rounded in the forward pass.
   */
  roundedLinear(x: T, weight: T): T;
  /** a [...,M,K] times b [...,K,N] times alpha; leading axes broadcast. `transposeB` takes b as [...,N,K]. */
  matmul(a: T, b: T, options?: { transposeB?: boolean; alpha?: number }): T;
  /** Elementwise with broadcasting. */
  add(a: T, b: T): T;
  mul(a: T, b: T): T;
  div(a: T, b: T): T;
  sub(a: T, b: T): T;
  /** x / sqrt(mean(x², last axis) + epsilon) * gain[D]. */
  rmsNorm(x: T, gain: T, epsilon: number): T;
  /**
   * Rotary position embedding of x [B,S,H*d]: within each head the pair (i, i + d/2) turns by the angle whose cosine
   * and sine stand at [s,i] of cos and sin [S,d/2].
   */
  rotary(x: T, cos: T, sin: T, heads: number): T;
  /** Over the last axis. */
  softmax(x: T): T;
  logSoftmax(x: T): T;
  /** x * sigmoid(x). */
  silu(x: T): T;
  /** x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x³))), the tanh form of GELU. */
  gelu(x: T): T;
  tanh(x: T): T;
  /** Square root of the sum of squares over the last axis, kept as an axis of 1. */
  norm(x: T): T;
  /** Sum over the last axis, which goes. */
  sum(x: T): T;
  /** Elementwise, with a number. */
  scale(x: T, factor: number): T;
  shift(x: T, addend: number): T;
  /** `length` places of an axis from `start` on. */
  slice(x: T, axis: number, start: number, length: number): T;
  /** 0 keeps the axis at the same place, -1 takes what is left (once). */
  reshape(x: T, shape: readonly number[]): T;
  transpose(x: T, permutation: readonly number[]): T;
  concat(parts: readonly T[], axis: number): T;
  /**
   * Rows of x [T,N] laid out as groups of equally long texts: [B,S,N] for the `slots` [B,S] of each group, which name a
   * row each. `places` [T] names the slot, counted through all groups, that each row stands in. Slots that no row stands
   * in repeat one, the stand-in for padding: nothing that is computed of it may reach a result.
   */
  spread(x: T, slots: readonly T[], places: T): T[];
  /** The way back: parts [B,S,N], laid out like that, as rows [T,N]. */
  join(parts: readonly T[], slots: readonly T[], places: T): T;
}

/** An axis: its length, or the name of a length that a run decides. */
export type Dim = number | string;

export type ElementType = 'float32' | 'int64' | 'float16' | 'bfloat16' | 'int8' | 'uint8' | 'uint4';

/** What crosses the border of a run, row-major. */
export type TensorData =
  | { readonly type: 'float32'; readonly data: Float32Array; readonly shape: readonly number[] }
  | { readonly type: 'int64'; readonly data: BigInt64Array; readonly shape: readonly number[] };

/** The shape of one input of a program. */
export interface InputSpec {
  readonly type: 'float32' | 'int64';
  readonly shape: readonly Dim[];
}
