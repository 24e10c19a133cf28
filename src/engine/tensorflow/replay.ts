import type { Step } from './ops.ts';
import type { Tensor, TensorFlow } from './tf.ts';

/** A step with the tensors that nothing needs after it. */
export interface PlannedStep {
  readonly step: Step;
  readonly frees: readonly Step[];
}

/** Those of the steps that the outputs need, in their order. Neither outputs nor what is fed are freed. */
export function planSteps(steps: readonly Step[], outputs: readonly Step[]): PlannedStep[] {
  const needed = new Set(outputs);
  const plan: PlannedStep[] = [];
  for (const step of steps.toReversed()) {
    if (!needed.has(step)) continue;
    const frees = new Set(step.inputs.filter((input) => input.compute !== undefined && !needed.has(input)));
    for (const input of step.inputs) needed.add(input);
    plan.push({ step, frees: [...frees] });
  }
  return plan.toReversed();
}

/** Computes every planned step into `values`, which holds what is fed. */
export function replay(tf: TensorFlow, plan: readonly PlannedStep[], values: Map<Step, Tensor>): void {
  for (const { step, frees } of plan) {
    const inputs = step.inputs.map((input) => values.get(input)!);
    values.set(step, tf.tidy(() => step.compute!(...inputs)));
    for (const freed of frees) values.get(freed)!.dispose();
  }
}

/** The steps that depend on `input`, itself included. */
export function dependents(steps: readonly Step[], input: Step): ReadonlySet<Step> {
  const dependent = new Set([input]);
  for (const step of steps) if (step.inputs.some((other) => dependent.has(other))) dependent.add(step);
  return dependent;
}
