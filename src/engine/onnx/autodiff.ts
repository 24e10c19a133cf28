import { backwardRules, type Backward } from './backward.ts';
import type { Node, ProgramOp, Value } from './graph.ts';
import type { OnnxOps } from './ops.ts';

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

  const byValue = new Map<Value, Value>([[loss, ops.reshape(ops.graph.scalar(1), loss.shape.map(() => 1))]]);
  for (const node of forward.reverse()) {
    const dy = byValue.get(node.outputs[0]!);
    if (dy === undefined) continue;
    byValue.delete(node.outputs[0]!);
    const rule = backwardRules[node.op] as Backward<ProgramOp>;
    const grads = rule({ node, dy, ops, needs: (input) => dependent.has(node.inputs[input]!) });
    grads.forEach((grad, input) => {
      const value = node.inputs[input]!;
      if (grad === undefined || !dependent.has(value)) return;
      const others = byValue.get(value);
      byValue.set(value, others === undefined ? grad : ops.add(others, grad));
    });
  }
  return parameters.map((parameter) => byValue.get(parameter));
}
