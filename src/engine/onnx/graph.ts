import type { FilePart, StoredTensor } from '../../models/types.ts';
import type { Dim, ElementType } from '../ops.ts';

/**
 * Attributes of the ONNX operators that a program is made of. The keys are the operator set: reverse-mode
 * differentiation is a table over them that the compiler checks.
 */
export interface ProgramOpAttributes {
  Add: Record<never, never>;
  Cast: { to: ElementType };
  Concat: { axis: number };
  Div: Record<never, never>;
  /** com.microsoft: alpha * a @ b, either transposed in its last two axes. */
  FusedMatMul: { transA: 0 | 1; transB: 0 | 1; alpha: number };
  /** com.microsoft: the tanh form of GELU. */
  FastGelu: Record<never, never>;
  Gather: { axis: number };
  LogSoftmax: { axis: number };
  Mul: Record<never, never>;
  /** com.microsoft: x * sigmoid(alpha * x); SiLU at alpha 1. */
  QuickGelu: { alpha: number };
  ReduceL2: { axes: readonly number[]; keepdims: 0 | 1 };
  ReduceSum: { keepdims: 0 | 1 };
  Reshape: Record<never, never>;
  /** com.microsoft: half-split pairs when interleaved is 0. */
  RotaryEmbedding: { interleaved: 0; num_heads: number };
  /** com.microsoft: the numbers of a quantized tensor, with a scale for each place of an axis. */
  DequantizeLinear: { axis: number };
  /** Outputs the normalized tensor and the inverse deviation that its backward needs. */
  SimplifiedLayerNormalization: { axis: number; epsilon: number };
  /** Inputs: data, starts, ends, axes. */
  Slice: Record<never, never>;
  Softmax: { axis: number };
  Sub: Record<never, never>;
  Tanh: Record<never, never>;
  Transpose: { perm: readonly number[] };
}

/** Attributes of the operators inside of a rounded product, whose gradient is a rule of its own. */
interface RoundingOpAttributes {
  Abs: Record<never, never>;
  /** com.microsoft: a product of integers times the scales of both; inputs: a, b, their scales (b's by column), a's zero point. */
  MatMulIntegerToFloat: Record<never, never>;
  Max: Record<never, never>;
  QuantizeLinear: Record<never, never>;
  ReduceMax: { axes: readonly number[]; keepdims: 0 | 1 };
}

/** Attributes of the operators that only backward passes emit. */
interface BackwardOpAttributes {
  /** Zeros. */
  ConstantOfShape: Record<never, never>;
  Exp: Record<never, never>;
  Expand: Record<never, never>;
  Neg: Record<never, never>;
  /** Inputs: data, and the zeros to put before and after each axis. */
  Pad: Record<never, never>;
  ScatterND: { reduction: 'add' };
  /** Lengths of the axes from `start` to before `end`. */
  Shape: { start: number; end: number };
  Sigmoid: Record<never, never>;
}

/** Attributes of the operators that others are rewritten into for a device that lacks them. */
interface LoweredOpAttributes {
  /** alpha * a @ b of two matrices, either transposed. */
  Gemm: { transA: 0 | 1; transB: 0 | 1; alpha: number };
  MatMul: Record<never, never>;
  ReduceMean: { axes: readonly number[]; keepdims: 0 | 1 };
  Reciprocal: Record<never, never>;
  Sqrt: Record<never, never>;
}

export type OpAttributes = ProgramOpAttributes & RoundingOpAttributes & BackwardOpAttributes & LoweredOpAttributes;

export type ProgramOp = keyof ProgramOpAttributes;

export type OpName = keyof OpAttributes;

/** One tensor of the graph. */
export interface Value {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly Dim[];
}

/** One operator call, with all that a backward rule needs to know of it. */
export interface NodeOf<K extends OpName> {
  readonly op: K;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly attributes: OpAttributes[K];
}

export type Node = { [K in OpName]: NodeOf<K> }[OpName];

/** A value known when the graph is made: small and held in it, or a tensor of a checkpoint's file. */
export type Constant =
  | { readonly value: Value; readonly kind: 'int64'; readonly data: readonly number[] }
  | { readonly value: Value; readonly kind: 'float32'; readonly data: readonly number[] }
  | { readonly value: Value; readonly kind: 'byte'; readonly data: readonly number[] }
  | { readonly value: Value; readonly kind: 'stored'; readonly part: FilePart };

/** Gradients by some values from the gradient by an output: a rule in place of those of the nodes that made it. */
export interface CustomGradient {
  readonly inputs: readonly Value[];
  readonly backward: (dy: Value, recall: (value: Value) => Value, needs: (input: number) => boolean) => (Value | undefined)[];
}

/** A graph being built: inputs, constants and nodes in the order of their making, which is a topological one. */
export class Graph {
  readonly inputs: Value[] = [];
  readonly constants: Constant[] = [];
  readonly nodes: Node[] = [];
  /** Values that a backward pass computes again and does not hold. */
  readonly transient = new Set<Value>();
  /** By the output that each is for. */
  readonly customGradients = new Map<Value, CustomGradient>();
  readonly outputs: { readonly name: string; readonly value: Value }[] = [];
  readonly #known = new Map<string, Value>();
  #count = 0;

  input(name: string, type: ElementType, shape: readonly Dim[]): Value {
    const value = { name, type, shape };
    this.inputs.push(value);
    return value;
  }

  /** A tensor of a file, in the type it is stored in. */
  stored(tensor: StoredTensor): Value {
    const type = ({ F32: 'float32', F16: 'float16', BF16: 'bfloat16' } as const)[tensor.type];
    return this.part({ name: tensor.name, type, shape: tensor.shape }, tensor);
  }

  /** A value whose numbers lie in a file. */
  part(value: Value, part: FilePart): Value {
    this.constants.push({ value, kind: 'stored', part });
    return value;
  }

  /** The same value for the same numbers: ONNX Runtime takes time for every constant. */
  int64(data: readonly number[]): Value {
    return this.#constant(`int64 ${data.join()}`, () => ({ value: { name: this.#fresh('shape'), type: 'int64', shape: [data.length] }, kind: 'int64', data }));
  }

  /** What an int64 constant of this graph holds. */
  numbersOf(value: Value): readonly number[] {
    const constant = this.constants.find((known) => known.value === value);
    if (constant?.kind !== 'int64') throw new RangeError(`"${value.name}" is no constant`);
    return constant.data;
  }

  scalar(data: number): Value {
    return this.#constant(`float32 ${data}`, () => ({ value: { name: this.#fresh('scalar'), type: 'float32', shape: [] }, kind: 'float32', data: [data] }));
  }

  /** One number in 8 bits. */
  byte(type: 'int8' | 'uint8', data: number): Value {
    return this.#constant(`${type} ${data}`, () => ({ value: { name: this.#fresh('byte'), type, shape: [] }, kind: 'byte', data: [data] }));
  }

  /** Adds a node; `outputs` gives each output's type and shape. */
  node<K extends OpName>(
    op: K,
    inputs: readonly Value[],
    attributes: OpAttributes[K],
    outputs: ReadonlyArray<{ readonly type: ElementType; readonly shape: readonly Dim[] }>,
  ): Value[] {
    const values = outputs.map(({ type, shape }): Value => ({ name: this.#fresh(op), type, shape }));
    this.nodes.push({ op, inputs, outputs: values, attributes } as unknown as Node);
    return values;
  }

  /** Names a value as a result of the graph. */
  output(name: string, value: Value): void {
    this.outputs.push({ name, value });
  }

  #constant(key: string, make: () => Constant): Value {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const constant = make();
    this.constants.push(constant);
    this.#known.set(key, constant.value);
    return constant.value;
  }

  #fresh(stem: string): string {
    return `${stem}_${this.#count++}`;
  }
}
