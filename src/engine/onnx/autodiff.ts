import { backwardRules, type Backward } from './backward.ts';
import type { Node, NodeOf, OpName, ProgramOp, Value } from './graph.ts';
import type { OnnxOps } from './ops.ts';

/**
 * Outputs of these are computed again in the backward pass instead of being held until then: a pass over memory each,
 * and a third of what a layer would hold.
 */
const recomputed: ReadonlySet<OpName> = new Set(['Mul', 'QuickGelu', 'FastGelu', 'SimplifiedLayerNormalization']);

/**
 * Reverse-mode differentiation: adds the backward pass of `loss`, a value with one element, to the graph that it stands
 * in, and gives the gradient by each parameter (undefined where the loss does not depend on it).
 *
 * The nodes stand in a topological order, so one walk from the last to the first meets every value after all that use
 * it. Nothing is computed for values that depend on no parameter: frozen weights have no gradient.
 */
export function gradients(ops: OnnxOps, loss: Value, parameters: readonly Value[]): (Value | undefined)[] {
  const forward = [...ops.graph.nodes] as Extract<Node, { op: ProgramOp }>[];
  const dependent = new Set<Value>(parameters);
  for (const { inputs, outputs } of forward) if (inputs.some((input) => dependent.has(input))) dependent.add(outputs[0]!);

  const recall = recaller(ops, forward);
  const byValue = new Map<Value, Value>([[loss, ops.reshape(ops.graph.scalar(1), loss.shape.map(() => 1))]]);
  for (const node of forward.toReversed()) {
    const dy = byValue.get(node.outputs[0]!);
    if (dy === undefined) continue;
    byValue.delete(node.outputs[0]!);
    const custom = ops.graph.customGradients.get(node.outputs[0]!);
    const { inputs } = custom ?? node;
    const needs = (input: number): boolean => dependent.has(inputs[input]!);
    const rule = backwardRules[node.op] as Backward<ProgramOp>;
    const grads = custom?.backward(dy, recall, needs) ?? rule({ node: node as NodeOf<ProgramOp>, dy, ops, recall, needs });
    grads.forEach((grad, input) => {
      const value = inputs[input]!;
      if (grad === undefined || !dependent.has(value)) return;
      const others = byValue.get(value);
      byValue.set(value, others === undefined ? grad : ops.add(others, grad));
    });
  }
  const found = parameters.map((parameter) => byValue.get(parameter));
  orderBackward(ops.graph.nodes, forward.length, found);
  return found;
}

/**
 * Orders the nodes of the backward pass so that ONNX Runtime holds little. It runs a graph by a depth-first walk from
 * the results, the last node first, and of a node's inputs takes the one made last first. So what depends on no gradient
 * (what is computed again) stands before what does, and is run when it is needed and not before; and the gradients of
 * parameters stand last, those found first at the end, so that each is run as soon as it can be.
 */
function orderBackward(nodes: Node[], forward: number, results: readonly (Value | undefined)[]): void {
  const backward = nodes.splice(forward);
  const place = new Map(backward.map((node, i) => [node.outputs[0]!, i]));
  const seeded = new Set<Value>([backward[0]!.outputs[0]!]);
  for (const { inputs, outputs } of backward) if (inputs.some((input) => seeded.has(input))) seeded.add(outputs[0]!);
  const last = new Set(results);
  const isResult = ({ outputs }: Node): boolean => last.has(outputs[0]!);
  const free = backward.filter(({ outputs }) => !seeded.has(outputs[0]!));
  const chain = backward.filter((node) => seeded.has(node.outputs[0]!) && !isResult(node));
  const leaves = backward.filter((node) => seeded.has(node.outputs[0]!) && isResult(node));
  nodes.push(...free, ...chain, ...leaves.sort((a, b) => place.get(b.outputs[0]!)! - place.get(a.outputs[0]!)!));
}

/**
 * Gives a value of the forward pass to the backward pass: itself, or the output of a second node that computes it again
 * from what is held. Each is computed again once.
 */
function recaller(ops: OnnxOps, forward: readonly Node[]): (value: Value) => Value {
  const makers = new Map(forward.flatMap((node) => node.outputs.map((output): [Value, Node] => [output, node])));
  const again = new Map<Value, Value>();
  const recall = (value: Value): Value => {
    const known = again.get(value);
    if (known !== undefined) return known;
    const maker = makers.get(value);
    if (maker === undefined || !(recomputed.has(maker.op) || ops.graph.transient.has(value))) return value;
    const outputs = ops.graph.node(maker.op, maker.inputs.map(recall), maker.attributes, maker.outputs);
    maker.outputs.forEach((output, i) => again.set(output, outputs[i]!));
    return again.get(value)!;
  };
  return recall;
}
