import type { Dim } from '../ops.ts';
import type { NodeOf, ProgramOp, Value } from './graph.ts';
import type { OnnxOps } from './ops.ts';
import { broadcast } from './shapes.ts';

/**
 * What a rule is given: the node, the gradient of its first output, and which of its inputs want one. The numbers of a
 * forward value are asked for by `recall`; its shape may be read from the value itself.
 */
export interface BackwardContext<K extends ProgramOp> {
  readonly node: NodeOf<K>;
  readonly dy: Value;
  readonly ops: OnnxOps;
  readonly recall: (value: Value) => Value;
  readonly needs: (input: number) => boolean;
}

/** Emits the gradients by a node's inputs, each in the shape of its input; undefined where none is needed. */
export type Backward<K extends ProgramOp> = (context: BackwardContext<K>) => (Value | undefined)[];

/** The rule of every operator that a program is made of. x, a, b are inputs, y the output, d… the gradient by …. */
export const backwardRules: { readonly [K in ProgramOp]: Backward<K> } = {
  Add: ({ node: { inputs }, dy, ops }) => inputs.map((input) => sumTo(ops, dy, input.shape)),

  Sub: ({ node, dy, ops, needs }) => {
    const [a, b] = two(node);
    return [sumTo(ops, dy, a.shape), needs(1) ? sumTo(ops, negative(ops, dy), b.shape) : undefined];
  },

  // y = a b:  da = dy b,  db = dy a
  Mul: ({ node, dy, ops, recall, needs }) => {
    const [a, b] = two(node);
    return [
      needs(0) ? sumTo(ops, ops.mul(dy, recall(b)), a.shape) : undefined,
      needs(1) ? sumTo(ops, ops.mul(dy, recall(a)), b.shape) : undefined,
    ];
  },

  // A quantized weight is frozen.
  DequantizeLinear: () => [],

  // y = a / b:  da = dy / b,  db = -y da
  Div: ({ node, dy, ops, recall, needs }) => {
    const [a, b] = two(node);
    const da = ops.div(dy, recall(b));
    return [sumTo(ops, da, a.shape), needs(1) ? sumTo(ops, negative(ops, ops.mul(recall(first(node.outputs)), da)), b.shape) : undefined];
  },

  Cast: ({ dy }) => [dy],

  Concat: ({ node: { inputs, attributes }, dy, ops, needs }) => {
    const { graph } = ops;
    const axes = graph.int64([attributes.axis]);
    let start = graph.int64([0]);
    return inputs.map((input, i) => {
      const length = input.shape.at(attributes.axis)!;
      const end = add64(ops, start, typeof length === 'number' ? graph.int64([length]) : lengths(ops, input, attributes.axis, attributes.axis + 1));
      const part = needs(i) ? ops.one('Slice', [dy, start, end, axes], {}, input.shape) : undefined;
      start = end;
      return part;
    });
  },

  // y = alpha a b (b as [...,N,K] where transB):  da = alpha dy bᵀ,  db = alpha aᵀ dy, or alpha dyᵀ a where transB
  FusedMatMul: ({ node, dy, ops, recall, needs }) => {
    const [a, b] = two(node);
    const { transA, transB, alpha } = node.attributes;
    if (transA === 1) throw new RangeError('programs do not transpose the first factor');
    const da = needs(0) ? sumTo(ops, ops.matmul(dy, recall(b), { transposeB: transB === 0, alpha }), a.shape) : undefined;
    if (!needs(1)) return [da, undefined];
    // A matrix that every row of every batch was multiplied by: one product over all rows.
    const [rows, grads] = b.shape.length === 2 ? [ops.rows(recall(a)), ops.rows(dy)] : [recall(a), dy];
    const [left, right] = transB === 1 ? [grads, rows] : [rows, grads];
    const shape = [...broadcast(left.shape.slice(0, -2), right.shape.slice(0, -2)), left.shape.at(-1)!, right.shape.at(-1)!];
    return [da, sumTo(ops, ops.one('FusedMatMul', [left, right], { transA: 1, transB: 0, alpha }, shape), b.shape)];
  },

  // t = tanh(u), u = c (x + k x³):  dx = dy (1 + t + x (1 - t²) c (1 + 3 k x²)) / 2
  FastGelu: ({ node, dy, ops, recall }) => {
    const x = recall(first(node.inputs));
    const c = Math.sqrt(2 / Math.PI);
    const k = 0.044715;
    const square = ops.mul(x, x);
    const t = ops.tanh(ops.mul(x, ops.shift(ops.scale(square, c * k), c)));
    const slope = ops.mul(ops.mul(x, oneMinusSquare(ops, t)), ops.shift(ops.scale(square, 3 * k * c), c));
    return [ops.mul(dy, ops.scale(ops.add(ops.shift(t, 1), slope), 0.5))];
  },

  // Rows that were read give their gradient to the row they are; indices [...], table [V,...]
  Gather: ({ node, dy, ops }) => {
    const [table, indices] = two(node);
    const { graph } = ops;
    if (node.attributes.axis !== 0) throw new RangeError('programs gather along the first axis only');
    const shape = lengths(ops, table, 0, table.shape.length);
    const [zeros] = graph.node('ConstantOfShape', [shape], {}, [{ type: 'float32', shape: table.shape }]) as [Value];
    const [places] = graph.node('Reshape', [indices, graph.int64([...indices.shape.map(() => 0), 1])], {}, [
      { type: 'int64', shape: [...indices.shape, 1] },
    ]) as [Value];
    return [ops.one('ScatterND', [zeros, places, dy], { reduction: 'add' }, table.shape)];
  },

  // dx = dy - exp(y) sum(dy)
  LogSoftmax: ({ node, dy, ops, recall }) => {
    const y = recall(first(node.outputs));
    return [ops.sub(dy, ops.mul(ops.one('Exp', [y], {}, y.shape), sumLast(ops, dy)))];
  },

  // y = x s, s = sigmoid(alpha x):  dx = dy (s + alpha (y - y s))
  QuickGelu: ({ node, dy, ops, recall }) => {
    const x = recall(first(node.inputs));
    const { alpha } = node.attributes;
    const s = ops.one('Sigmoid', [alpha === 1 ? x : ops.scale(x, alpha)], {}, x.shape);
    const y = recall(first(node.outputs));
    const rest = ops.sub(y, ops.mul(y, s));
    return [ops.mul(dy, ops.add(s, alpha === 1 ? rest : ops.scale(rest, alpha)))];
  },

  // y = sqrt(sum(x²)):  dx = x dy / y
  ReduceL2: ({ node, dy, ops, recall }) => [ops.mul(recall(first(node.inputs)), ops.div(dy, recall(first(node.outputs))))],

  ReduceSum: ({ node, dy, ops }) => {
    const x = first(node.inputs);
    const kept = node.attributes.keepdims === 1 ? dy : ops.reshape(dy, [...dy.shape.map(() => 0), 1]);
    return [ops.one('Expand', [kept, lengths(ops, x, 0, x.shape.length)], {}, x.shape)];
  },

  Reshape: ({ node, dy, ops }) => [like(ops, dy, first(node.inputs))],

  // A rotation's inverse is the rotation by the opposite angle.
  RotaryEmbedding: ({ node: { inputs, attributes }, dy, ops }) => {
    const [x, position, cos, sin] = inputs as readonly [Value, Value, Value, Value];
    return [ops.one('RotaryEmbedding', [dy, position, cos, negative(ops, sin)], attributes, x.shape)];
  },

  // y = x r g, r = 1 / sqrt(mean(x²) + epsilon):  dx = r (g dy - x r² mean(x g dy)),  dg = sum(dy x r)
  SimplifiedLayerNormalization: ({ node, dy, ops, recall, needs }) => {
    const [x, gain] = two(node).map(recall) as [Value, Value];
    const r = recall(node.outputs[1]!);
    const size = x.shape.at(-1);
    if (typeof size !== 'number') throw new RangeError('the size of a norm has to be known');
    const dg = needs(1) ? sumTo(ops, ops.mul(dy, ops.mul(x, r)), gain.shape) : undefined;
    if (!needs(0)) return [undefined, dg];
    const scaled = ops.mul(dy, gain);
    const share = ops.scale(ops.mul(ops.mul(r, r), sumLast(ops, ops.mul(x, scaled))), 1 / size); // r² mean(x g dy)
    return [ops.mul(r, ops.sub(scaled, ops.mul(x, share))), dg];
  },

  Slice: ({ node, dy, ops }) => {
    const x = first(node.inputs);
    const [start, end, axis] = node.inputs.slice(1).map((bound) => ops.graph.numbersOf(bound)[0]!) as [number, number, number];
    const length = x.shape.at(axis);
    if (typeof length !== 'number') throw new RangeError('the length of a sliced axis has to be known');
    const before = x.shape.map((_, i) => (i === axis ? start : 0));
    const after = x.shape.map((_, i) => (i === axis ? length - end : 0));
    return [ops.one('Pad', [dy, ops.graph.int64([...before, ...after])], {}, x.shape)];
  },

  // dx = y dy - y sum(y dy)
  Softmax: ({ node, dy, ops, recall }) => {
    const y = recall(first(node.outputs));
    const product = ops.mul(y, dy);
    return [ops.sub(product, ops.mul(y, sumLast(ops, product)))];
  },

  Tanh: ({ node, dy, ops, recall }) => [ops.mul(dy, oneMinusSquare(ops, recall(first(node.outputs))))],

  Transpose: ({ node, dy, ops }) => {
    const inverse: number[] = [];
    node.attributes.perm.forEach((from, to) => (inverse[from] = to));
    return [ops.transpose(dy, inverse)];
  },
};

function first(values: readonly Value[]): Value {
  return values[0]!;
}

function two({ inputs }: { readonly inputs: readonly Value[] }): [Value, Value] {
  return [inputs[0]!, inputs[1]!];
}

function negative(ops: OnnxOps, x: Value): Value {
  return ops.one('Neg', [x], {}, x.shape);
}

function oneMinusSquare(ops: OnnxOps, x: Value): Value {
  return ops.shift(negative(ops, ops.mul(x, x)), 1);
}

/** Over the last axis, kept as an axis of 1. */
function sumLast(ops: OnnxOps, x: Value): Value {
  return ops.one('ReduceSum', [x, ops.graph.int64([-1])], { keepdims: 1 }, [...x.shape.slice(0, -1), 1]);
}

/** What broadcasting spread out, added up again: x in the shape that it was broadcast from. */
function sumTo(ops: OnnxOps, x: Value, shape: readonly Dim[]): Value {
  const missing = x.shape.length - shape.length;
  const spread = x.shape.flatMap((length, axis) => {
    const own = shape[axis - missing] ?? 1;
    if (own === length) return [];
    if (own !== 1) throw new RangeError(`a gradient of [${x.shape}] does not fit [${shape}]`);
    return [axis];
  });
  const axes = [...new Set([...Array.from({ length: missing }, (_, axis) => axis), ...spread])];
  if (axes.length === 0) return x;
  const kept = x.shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
  const sum = ops.one('ReduceSum', [x, ops.graph.int64(axes)], { keepdims: 1 }, kept);
  return missing === 0 ? sum : reshapeTo(ops, sum, shape);
}

/** x in the shape of another value. */
function like(ops: OnnxOps, x: Value, target: Value): Value {
  const shape = asReshape(x.shape, target.shape);
  if (shape !== undefined) return ops.reshape(x, shape);
  return ops.one('Reshape', [x, lengths(ops, target, 0, target.shape.length)], {}, target.shape);
}

function reshapeTo(ops: OnnxOps, x: Value, target: readonly Dim[]): Value {
  const shape = asReshape(x.shape, target);
  if (shape === undefined) throw new RangeError(`[${x.shape}] cannot be given the shape [${target}]`);
  return ops.reshape(x, shape);
}

/** A target in the terms of `reshape`, where one unknown length at most stands elsewhere than it did. */
function asReshape(from: readonly Dim[], target: readonly Dim[]): number[] | undefined {
  const shape = target.map((length, axis) => (typeof length === 'number' ? length : length === from[axis] ? 0 : -1));
  return shape.filter((length) => length === -1).length > 1 ? undefined : shape;
}

/** The lengths of some axes as a run finds them. */
function lengths(ops: OnnxOps, x: Value, start: number, end: number): Value {
  const known = x.shape.slice(start, end);
  if (known.every((length) => typeof length === 'number')) return ops.graph.int64(known);
  return ops.graph.node('Shape', [x], { start, end }, [{ type: 'int64', shape: [end - start] }])[0]!;
}

function add64(ops: OnnxOps, a: Value, b: Value): Value {
  return ops.graph.node('Add', [a, b], {}, [{ type: 'int64', shape: a.shape }])[0]!;
}
