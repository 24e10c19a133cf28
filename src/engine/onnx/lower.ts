import type { Dim } from '../ops.ts';
import type { Graph, Node, NodeOf, OpAttributes, OpName, Value } from './graph.ts';

/**
 * Rewrites what ONNX Runtime's WebGPU provider lacks, or does wrong, into operators that it has:
 *
 * - It has no FusedMatMul, which would move every matrix product and its operands to the CPU. A product by a matrix
 *   becomes Gemm, which transposes either factor as it reads; one in batches becomes Transpose and MatMul.
 * - Its SimplifiedLayerNormalization writes the mean where the inverse deviation belongs (its second output is that of
 *   LayerNormalization). What reads that output gets 1 / sqrt(mean(x²) + epsilon) computed apart.
 *
 * The values of the graph stay; nodes are put in place of others. What else it lacks are tensors of a few numbers
 * (LogSoftmax of the loss, arithmetic of shapes) and the gather from a table in bfloat16, which belong on the CPU.
 */
export function lowerForWebGpu(graph: Graph): void {
  const lowering = new WebGpuLowering(graph);
  for (const node of graph.nodes.splice(0)) lowering.add(node);
}

class WebGpuLowering {
  readonly #graph: Graph;
  /** Values that some node reads, or that leave the graph. */
  readonly #read: ReadonlySet<Value>;
  /** Shapes made at run time, by what they are: many products have the same. */
  readonly #shapes = new Map<string, Value>();

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#read = new Set([...graph.nodes.flatMap(({ inputs }) => inputs), ...graph.outputs.map(({ value }) => value)]);
  }

  add(node: Node): void {
    if (node.op === 'FusedMatMul') this.#product(node);
    else if (node.op === 'SimplifiedLayerNormalization') this.#normalization(node);
    else this.#graph.nodes.push(node);
  }

  /** y = alpha a b, each transposed in its last two axes where its flag says so. */
  #product({ inputs, outputs, attributes }: NodeOf<'FusedMatMul'>): void {
    const [a, b] = inputs as [Value, Value];
    const [y] = outputs as [Value];
    const { transA, transB, alpha } = attributes;
    if (b.shape.length > 2 || (transA === 1 && a.shape.length > 2)) {
      const left = this.#scaled(transA === 1 ? this.#transposed(a) : a, alpha);
      return this.#replace('MatMul', [left, transB === 1 ? this.#transposed(b) : b], {}, y);
    }
    if (a.shape.length === 2) return this.#replace('Gemm', [a, b], attributes, y);
    // All rows under each other: [...,M,K] as [rows,K], and back.
    const columns = y.shape.at(-1)!;
    const rows = this.#one('Reshape', [a, this.#graph.int64([-1, numberOf(a.shape.at(-1)!)])], {}, ['rows', a.shape.at(-1)!]);
    const product = this.#one('Gemm', [rows, b], attributes, ['rows', columns]);
    this.#replace('Reshape', [product, this.#shape(a, columns)], {}, y);
  }

  #normalization(node: NodeOf<'SimplifiedLayerNormalization'>): void {
    const { inputs, outputs, attributes } = node;
    const [y, inverse] = outputs as [Value, Value];
    if (this.#read.has(y)) this.#graph.nodes.push({ ...node, outputs: [y] });
    if (!this.#read.has(inverse)) return;
    const x = inputs[0]!;
    const squares = this.#one('Mul', [x, x], {}, x.shape);
    const mean = this.#one('ReduceMean', [squares], { axes: [-1], keepdims: 1 }, inverse.shape);
    const deviation = this.#one('Sqrt', [this.#one('Add', [mean, this.#graph.scalar(attributes.epsilon)], {}, inverse.shape)], {}, inverse.shape);
    this.#replace('Reciprocal', [deviation], {}, inverse);
  }

  #transposed(x: Value): Value {
    const rank = x.shape.length;
    const perm = [...Array.from({ length: rank - 2 }, (_, axis) => axis), rank - 1, rank - 2];
    return this.#one('Transpose', [x], { perm }, perm.map((axis) => x.shape[axis]!));
  }

  #scaled(x: Value, alpha: number): Value {
    return alpha === 1 ? x : this.#one('Mul', [x, this.#graph.scalar(alpha)], {}, x.shape);
  }

  /** The shape of `like` with another last axis, as a run finds it. */
  #shape(like: Value, columns: Dim): Value {
    const leading = like.shape.slice(0, -1);
    const key = [...leading, columns].join();
    const known = this.#shapes.get(key);
    if (known !== undefined) return known;
    const last = this.#graph.int64([numberOf(columns)]);
    const [found] = this.#graph.node('Shape', [like], { start: 0, end: leading.length }, [{ type: 'int64', shape: [leading.length] }]) as [Value];
    const [shape] = this.#graph.node('Concat', [found, last], { axis: 0 }, [{ type: 'int64', shape: [leading.length + 1] }]) as [Value];
    this.#shapes.set(key, shape);
    return shape;
  }

  #one<K extends OpName>(op: K, inputs: readonly Value[], attributes: OpAttributes[K], shape: readonly Dim[]): Value {
    return this.#graph.node(op, inputs, attributes, [{ type: 'float32', shape }])[0]!;
  }

  /** A node that makes the value another node made. */
  #replace<K extends OpName>(op: K, inputs: readonly Value[], attributes: OpAttributes[K], output: Value): void {
    this.#graph.nodes.push({ op, inputs, outputs: [output], attributes } as unknown as Node);
  }
}

function numberOf(dim: Dim): number {
  if (typeof dim !== 'number') throw new RangeError(`the length "${dim}" of a matrix has to be known`);
  return dim;
}
