import type { FilePart, QuantizedTensor } from '../../models/types.ts';
import type { Dim, ElementType, Ops } from '../ops.ts';
import type { Graph, OpAttributes, OpName, Value } from './graph.ts';
import { axisOf, broadcast, multiplied, reshaped } from './shapes.ts';

/** Of a row whose largest number is 1. */
const byteStep = 1 / 127;
/** Rows without a number larger than this are zeros. */
const smallestRow = 1e-30;

/** [K,N] with a scale for each of the N. */
interface RoundedWeight {
  readonly integers: Value;
  readonly scales: Value;
}

/** Emits the ONNX nodes of each operation into a graph. Weights in 16 bits are widened where they are used. */
export class OnnxOps implements Ops<Value> {
  readonly graph: Graph;
  readonly #widened = new Map<Value, Value>();
  readonly #updatedWeights = new Map<Value, Value>();
  readonly #rounded = new Map<Value, { readonly integers: Value; readonly largest: Value }>();
  #firstPosition: Value | undefined;

  constructor(graph: Graph) {
    this.graph = graph;
  }

  embedding(table: Value, ids: Value): Value {
    // Gathered before it is widened: only the rows asked for grow.
    const [rows] = this.graph.node('Gather', [table, ids], { axis: 0 }, [
      { type: table.type, shape: [...ids.shape, ...table.shape.slice(1)] },
    ]) as [Value];
    return this.#wide(rows);
  }

  /** A weight in few bits as float32 [out,in]. It is computed where it is used, and held no longer. */
  dequantized({ name, shape, bits, block, quants, scales, minimums }: QuantizedTensor): Value {
    const { graph } = this;
    const blocks = (shape[0] * shape[1]) / block;
    const part = (what: string, type: ElementType, length: readonly number[], where: FilePart): Value => graph.part({ name: `${name}.${what}`, type, shape: length }, where);
    const q = part('quants', bits === 8 ? 'int8' : 'uint4', [blocks, block], quants);
    let w = this.#transient('DequantizeLinear', [q, part('scales', 'float32', [blocks], scales)], { axis: 0 }, [blocks, block]);
    if (minimums !== undefined) w = this.#transient('Add', [w, part('minimums', 'float32', [blocks, 1], minimums)], {}, [blocks, block]);
    return block === shape[1] ? w : this.#transient('Reshape', [w, graph.int64(shape)], {}, shape);
  }

  #transient<K extends OpName>(op: K, inputs: readonly Value[], attributes: OpAttributes[K], shape: readonly Dim[]): Value {
    const [value] = this.graph.node(op, inputs, attributes, [{ type: 'float32', shape }]) as [Value];
    this.graph.transient.add(value);
    return value;
  }

  linear(x: Value, weight: Value, bias?: Value): Value {
    const y = this.matmul(x, weight, { transposeB: true });
    return bias === undefined ? y : this.add(y, bias);
  }

  adaptedLinear(x: Value, weight: Value, a: Value, b: Value, alpha: number): Value {
    const updated = this.#updated(weight, a, b, alpha);
    const y = this.linear(x, updated);
    // With l = x aᵀ and k = alpha dy b:  da = kᵀ x,  db = alpha dyᵀ l,  dx = dy (weight + alpha b a)
    this.graph.customGradients.set(y, {
      inputs: [x, a, b],
      backward: (dy, recall, needs) => {
        const [rows, grads] = [this.rows(recall(x)), this.rows(dy)];
        const k = this.matmul(grads, b, { alpha }); // [rows,rank]
        const l = this.matmul(rows, a, { transposeB: true }); // [rows,rank]
        return [
          needs(0) ? this.matmul(dy, recall(updated)) : undefined,
          this.transposedProduct(k, rows, 1),
          this.transposedProduct(grads, l, alpha),
        ];
      },
    });
    return y;
  }

  /** aᵀ b alpha, of two matrices with as many rows. */
  transposedProduct(a: Value, b: Value, alpha: number): Value {
    return this.one('FusedMatMul', [a, b], { transA: 1, transB: 0, alpha }, [axisOf(a.shape, -1), axisOf(b.shape, -1)]);
  }

  /** All rows under each other: [...,N] as [rows,N]. */
  rows(x: Value): Value {
    if (x.shape.length === 2) return x;
    const length = axisOf(x.shape, -1);
    if (typeof length !== 'number') throw new RangeError(`the last axis of [${x.shape}] has to be known`);
    return this.reshape(x, [-1, length]);
  }

  /** A frozen weight with its update, computed once for all that use it. */
  #updated(weight: Value, a: Value, b: Value, alpha: number): Value {
    const known = this.#updatedWeights.get(weight);
    if (known !== undefined) return known;
    const update = this.matmul(b, a, { alpha });
    const updated = this.add(weight, update);
    if (this.graph.transient.has(weight)) for (const value of [update, updated]) this.graph.transient.add(value);
    this.#updatedWeights.set(weight, updated);
    return updated;
  }

  roundedLinear(x: Value, weight: Value): Value {
    const y = this.#roundedProduct(x, this.#roundedWeight(weight, 'rows'));
    this.graph.customGradients.set(y, { inputs: [x], backward: (dy, recall) => [this.#roundedProduct(dy, this.#roundedWeight(recall(weight), 'columns'))] });
    return y;
  }

  /** x [...,K] b, of which b [K,N] is rounded by its columns. */
  #roundedProduct(x: Value, { integers, scales }: RoundedWeight): Value {
    const { graph } = this;
    const rows = this.#roundedRows(x);
    const shape = [...x.shape.slice(0, -1), integers.shape[1]!];
    const [product] = graph.node('MatMulIntegerToFloat', [rows.integers, integers, graph.scalar(byteStep), scales, graph.byte('uint8', 128)], {}, [{ type: 'float32', shape }]) as [Value];
    return this.mul(product, rows.largest);
  }

  /** Each row in 255 steps between its largest number and the opposite, around 128; once for all that multiply it. */
  #roundedRows(x: Value): { readonly integers: Value; readonly largest: Value } {
    const known = this.#rounded.get(x);
    if (known !== undefined) return known;
    const { graph } = this;
    const largest = this.#largest(x, -1);
    const [integers] = graph.node('QuantizeLinear', [this.div(x, largest), graph.scalar(byteStep), graph.byte('uint8', 128)], {}, [{ type: 'uint8', shape: x.shape }]) as [Value];
    const rows = { integers, largest };
    this.#rounded.set(x, rows);
    return rows;
  }

  /**
   * A weight [out,in] rounded by its rows, as the [in,out] that x is multiplied by, or by its columns, as the [out,in] of
   * the gradient. All of it depends on the weight alone, so that ONNX Runtime computes it once, when it loads.
   */
  #roundedWeight(weight: Value, by: 'rows' | 'columns'): RoundedWeight {
    const { graph } = this;
    const axis = by === 'rows' ? 1 : 0;
    const [outputs, inputs] = weight.shape as [Dim, Dim];
    const wide = this.#wide(weight);
    const largest = this.#largest(wide, axis);
    const [integers] = graph.node('QuantizeLinear', [this.div(wide, largest), graph.scalar(byteStep), graph.byte('int8', 0)], {}, [{ type: 'int8', shape: weight.shape }]) as [Value];
    const scales = this.scale(this.reshape(largest, [-1]), byteStep);
    if (by === 'columns') return { integers, scales };
    const [transposed] = graph.node('Transpose', [integers], { perm: [1, 0] }, [{ type: 'int8', shape: [inputs, outputs] }]) as [Value];
    return { integers: transposed, scales };
  }

  /** The largest absolute number along an axis, which stays as 1; of zeros something to divide by. */
  #largest(x: Value, axis: number): Value {
    const shape = x.shape.with(axis, 1);
    const largest = this.one('ReduceMax', [this.one('Abs', [x], {}, x.shape)], { axes: [axis], keepdims: 1 }, shape);
    return this.one('Max', [largest, this.graph.scalar(smallestRow)], {}, shape);
  }

  matmul(a: Value, b: Value, { transposeB = false, alpha = 1 }: { transposeB?: boolean; alpha?: number } = {}): Value {
    const attributes = { transA: 0, transB: transposeB ? 1 : 0, alpha } as const;
    return this.one('FusedMatMul', [a, b], attributes, multiplied(a.shape, b.shape, transposeB));
  }

  add(a: Value, b: Value): Value {
    return this.one('Add', [a, b], {}, broadcast(a.shape, b.shape));
  }

  mul(a: Value, b: Value): Value {
    return this.one('Mul', [a, b], {}, broadcast(a.shape, b.shape));
  }

  div(a: Value, b: Value): Value {
    return this.one('Div', [a, b], {}, broadcast(a.shape, b.shape));
  }

  sub(a: Value, b: Value): Value {
    return this.one('Sub', [a, b], {}, broadcast(a.shape, b.shape));
  }

  rmsNorm(x: Value, gain: Value, epsilon: number): Value {
    const inverseDeviation = [...x.shape.slice(0, -1), 1];
    const [y] = this.graph.node('SimplifiedLayerNormalization', [this.#wide(x), this.#wide(gain)], { axis: -1, epsilon }, [
      { type: 'float32', shape: x.shape },
      { type: 'float32', shape: inverseDeviation },
    ]) as [Value, Value];
    return y;
  }

  rotary(x: Value, cos: Value, sin: Value, heads: number): Value {
    this.#firstPosition ??= this.graph.int64([0]);
    return this.one('RotaryEmbedding', [x, this.#firstPosition, cos, sin], { interleaved: 0, num_heads: heads }, x.shape);
  }

  softmax(x: Value): Value {
    return this.one('Softmax', [x], { axis: -1 }, x.shape);
  }

  logSoftmax(x: Value): Value {
    return this.one('LogSoftmax', [x], { axis: -1 }, x.shape);
  }

  silu(x: Value): Value {
    return this.one('QuickGelu', [x], { alpha: 1 }, x.shape);
  }

  gelu(x: Value): Value {
    return this.one('FastGelu', [x], {}, x.shape);
  }

  tanh(x: Value): Value {
    return this.one('Tanh', [x], {}, x.shape);
  }

  norm(x: Value): Value {
    return this.one('ReduceL2', [x], { axes: [-1], keepdims: 1 }, [...x.shape.slice(0, -1), 1]);
  }

  sum(x: Value): Value {
    return this.one('ReduceSum', [x, this.graph.int64([-1])], { keepdims: 0 }, x.shape.slice(0, -1));
  }

  scale(x: Value, factor: number): Value {
    return this.one('Mul', [x, this.graph.scalar(factor)], {}, x.shape);
  }

  shift(x: Value, addend: number): Value {
    return this.one('Add', [x, this.graph.scalar(addend)], {}, x.shape);
  }

  slice(x: Value, axis: number, start: number, length: number): Value {
    const bounds = [[start], [start + length], [axis]].map((bound) => this.graph.int64(bound));
    return this.one('Slice', [x, ...bounds], {}, x.shape.with(axis, length));
  }

  reshape(x: Value, shape: readonly number[]): Value {
    return this.one('Reshape', [x, this.graph.int64(shape)], {}, reshaped(x.shape, shape));
  }

  transpose(x: Value, permutation: readonly number[]): Value {
    return this.one('Transpose', [x], { perm: permutation }, permutation.map((axis) => axisOf(x.shape, axis)));
  }

  concat(parts: readonly Value[], axis: number): Value {
    const first = parts[0];
    if (first === undefined) throw new RangeError('nothing to concatenate');
    const lengths = parts.map((part) => axisOf(part.shape, axis));
    const length = lengths.every((dim) => typeof dim === 'number') ? lengths.reduce((a, b) => a + b, 0) : lengths.join('+');
    return this.one('Concat', parts, { axis }, first.shape.with(axis, length));
  }

  spread(x: Value, slots: readonly Value[], places: Value): Value[] {
    const parts = slots.map((group) => this.#taken(x, group));
    // The backward pass meets the first part last: by then it has the gradients of all.
    const found = new Map<Value, Value>();
    for (const part of parts) {
      this.graph.customGradients.set(part, {
        inputs: [x],
        backward: (dy) => {
          found.set(part, dy);
          return part === parts[0] ? [this.#taken(this.#underEachOther(parts.map((p) => found.get(p)!)), places)] : [undefined];
        },
      });
    }
    return parts;
  }

  join(parts: readonly Value[], slots: readonly Value[], places: Value): Value {
    const y = this.#taken(this.#underEachOther(parts), places);
    this.graph.customGradients.set(y, { inputs: parts, backward: (dy) => slots.map((group) => this.#taken(dy, group)) });
    return y;
  }

  /** Rows of x [T,N] at indices of any shape. */
  #taken(x: Value, indices: Value): Value {
    return this.one('Gather', [x, indices], { axis: 0 }, [...indices.shape, ...x.shape.slice(1)]);
  }

  #underEachOther(parts: readonly Value[]): Value {
    const rows = parts.map((part) => this.rows(part));
    return rows.length === 1 ? rows[0]! : this.concat(rows, 0);
  }

  /** A node with one float32 output of this shape; inputs in 16 bits are widened. */
  one<K extends OpName>(op: K, inputs: readonly Value[], attributes: OpAttributes[K], shape: readonly Dim[]): Value {
    const wide = inputs.map((input) => this.#wide(input));
    const [y] = this.graph.node(op, wide, attributes, [{ type: 'float32', shape }]) as [Value];
    return y;
  }

  #wide(value: Value): Value {
    if (value.type === 'float32' || value.type === 'int64') return value;
    const known = this.#widened.get(value);
    if (known !== undefined) return known;
    const [wide] = this.graph.node('Cast', [value], { to: 'float32' }, [{ type: 'float32', shape: value.shape }]) as [Value];
    this.#widened.set(value, wide);
    return wide;
  }
}
